//! How a query is answered: by a range of an index, or by a look at every document of a smaller range.

use serde_json::Value;

use super::Schema;
use super::schema::compared;
use crate::rows::DocumentQuery;
use crate::rows::document_key::{behind, document_key, push_value};

/// A comparison with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Comparison {
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// A condition on a field.
#[derive(Debug, Clone)]
pub(super) struct Filter {
    pub(super) field: String,
    pub(super) comparison: Comparison,
    pub(super) value: Value,
}

impl Filter {
    fn part(&self) -> Vec<u8> {
        part(&self.value)
    }

    /// The keys behind a prefix that fit, as a range. Only values of the same type are less or greater.
    fn range(&self, prefix: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let own = self.part();
        let at = [prefix, &own].concat();
        let kind = [prefix, &own[..1]].concat();
        match self.comparison {
            Comparison::Equal => (at.clone(), behind(&at)),
            Comparison::Greater => (behind(&at), behind(&kind)),
            Comparison::GreaterOrEqual => (at, behind(&kind)),
            Comparison::Less => (kind, at),
            Comparison::LessOrEqual => (kind, behind(&at)),
        }
    }

    fn fits(&self, value: &Value) -> bool {
        let (low, high) = self.range(&[]);
        let found = part(compared(value, &self.field));
        low <= found && found < high
    }
}

fn part(value: &Value) -> Vec<u8> {
    let mut part = Vec::new();
    push_value(&mut part, value);
    part
}

/// What is asked.
#[derive(Debug, Clone, Default)]
pub(super) struct Question {
    pub(super) filters: Vec<Filter>,
    pub(super) order: Option<String>,
    pub(super) descending: bool,
}

/// How it is answered.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// The documents to look at.
    pub(super) query: DocumentQuery,
    /// The fields whose values are the beginning of a document's place in the answer.
    place: Vec<String>,
    /// Whether the range has exactly the documents that are asked for, in their order.
    pub(super) is_exact: bool,
    filters: Vec<Filter>,
}

impl Plan {
    pub(super) fn of(schema: &Schema, asked: &Question) -> Self {
        let equal: Vec<&Filter> = asked.filters.iter().filter(|one| one.comparison == Comparison::Equal).collect();
        let ranges: Vec<&Filter> = asked.filters.iter().filter(|one| one.comparison != Comparison::Equal).collect();
        let order = asked.order.as_deref().filter(|field| !equal.iter().any(|one| one.field == *field));
        if asked.filters.is_empty() && order.is_none() {
            let query = DocumentQuery::by_id().descending(asked.descending);
            return Self { query, place: Vec::new(), is_exact: true, filters: Vec::new() };
        }
        let (mut best, mut best_length) = (None, 0);
        for fields in schema.indexes() {
            let fixed: Vec<&Filter> =
                fields.iter().map_while(|field| equal.iter().find(|one| one.field == *field).copied()).collect();
            let next = fields.get(fixed.len()).copied();
            let is_next = |field: &str| next == Some(field);
            let has_all = equal.iter().all(|one| fixed.iter().any(|other| std::ptr::eq(*one, *other)));
            if has_all && ranges.iter().all(|one| is_next(&one.field)) && order.is_none_or(is_next) {
                return Self::exact(schema, asked, fields, &fixed, &ranges);
            }
            if fixed.len() > best_length {
                (best, best_length) = (Some((fields, fixed)), best_length.max(1));
            }
        }
        let query = best.map_or_else(DocumentQuery::by_id, |(fields, fixed)| {
            let prefix: Vec<u8> = fixed.iter().flat_map(|one| one.part()).collect();
            DocumentQuery::by_index(schema.index_number(fields)).within(prefix.clone(), behind(&prefix))
        });
        let place = order.iter().map(|field| (*field).to_owned()).collect();
        Self { query, place, is_exact: false, filters: asked.filters.clone() }
    }

    fn exact(schema: &Schema, asked: &Question, fields: &[&str], fixed: &[&Filter], ranges: &[&Filter]) -> Self {
        let prefix: Vec<u8> = fixed.iter().flat_map(|one| one.part()).collect();
        let (mut low, mut high) = (prefix.clone(), behind(&prefix));
        for range in ranges {
            let (from, to) = range.range(&prefix);
            (low, high) = (low.max(from), high.min(to));
        }
        let query = DocumentQuery::by_index(schema.index_number(fields)).within(low, high).descending(asked.descending);
        let place = fields.iter().map(|field| (*field).to_owned()).collect();
        Self { query, place, is_exact: true, filters: Vec::new() }
    }

    /// A document's place in the answer; `None` if it does not belong to it.
    pub(super) fn place(&self, value: &Value, id: &str) -> Option<Vec<u8>> {
        let fields: Vec<&str> = self.place.iter().map(String::as_str).collect();
        let key = document_key(&fields, value, id);
        let fits = if self.is_exact {
            self.query.low <= key && key < self.query.high
        } else {
            self.filters.iter().all(|filter| filter.fits(value))
        };
        fits.then_some(key)
    }

    /// The index that would answer the question: equal fields first, then a range or the order.
    pub(super) fn wanted(asked: &Question) -> String {
        let mut fields: Vec<&str> = Vec::new();
        let equal = asked.filters.iter().filter(|one| one.comparison == Comparison::Equal);
        let ranges = asked.filters.iter().filter(|one| one.comparison != Comparison::Equal);
        for field in equal.chain(ranges).map(|one| &*one.field).chain(asked.order.as_deref()) {
            if !fields.contains(&field) {
                fields.push(field);
            }
        }
        format!(".index({fields:?})")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Collection;
    use super::*;

    const THINGS: Collection<Value> = Collection::new("things").index(["status", "at"]).index(["name"]);

    fn filter(field: &str, comparison: Comparison, value: Value) -> Filter {
        Filter { field: field.to_owned(), comparison, value }
    }

    fn asked(filters: Vec<Filter>, order: Option<&str>) -> Question {
        Question { filters, order: order.map(str::to_owned), descending: false }
    }

    #[test]
    fn declared_filters_and_orders_are_exact() {
        let open = || filter("status", Comparison::Equal, json!("open"));
        let late = || filter("at", Comparison::GreaterOrEqual, json!(5));
        for (filters, order) in [
            (vec![], None),
            (vec![open()], None),
            (vec![open()], Some("at")),
            (vec![open()], Some("status")),
            (vec![late(), open()], Some("at")),
            (vec![open(), late(), filter("at", Comparison::Less, json!(9))], None),
            (vec![], Some("name")),
            (vec![], Some("status")),
            (vec![filter("name", Comparison::Less, json!("x"))], Some("name")),
        ] {
            let plan = Plan::of(&THINGS.schema, &asked(filters.clone(), order));
            assert!(plan.is_exact, "{filters:?} {order:?}");
        }
        for (filters, order) in [
            (vec![], Some("at")),
            (vec![open()], Some("name")),
            (vec![late()], None),
            (vec![open(), filter("other", Comparison::Equal, json!(1))], None),
        ] {
            let plan = Plan::of(&THINGS.schema, &asked(filters.clone(), order));
            assert!(!plan.is_exact, "{filters:?} {order:?}");
        }
    }

    #[test]
    fn a_place_is_that_of_the_ledger() {
        let plan = Plan::of(&THINGS.schema, &asked(vec![filter("status", Comparison::Equal, json!("open"))], None));
        let value = json!({"status": "open", "at": 3});
        let keys = THINGS.schema.keys(&value, "id");
        assert_eq!(plan.place(&value, "id"), Some(keys[0].1.clone()));
        assert_eq!(plan.place(&json!({"status": "shut", "at": 3}), "id"), None);
    }

    /// A number is neither less nor greater than a text.
    #[test]
    fn ranges_compare_values_of_one_type() {
        let less = filter("at", Comparison::Less, json!(5));
        let fits = |value: Value| less.fits(&json!({ "at": value }));
        assert!(fits(json!(4)) && fits(json!(-1e9)));
        assert!(!fits(json!(5)) && !fits(json!("4")) && !fits(json!(null)) && !fits(json!(true)));
    }

    #[test]
    fn wanted_index_has_equal_fields_first() {
        let filters = vec![filter("at", Comparison::Less, json!(5)), filter("kind", Comparison::Equal, json!(1))];
        assert_eq!(Plan::wanted(&asked(filters, Some("at"))), r#".index(["kind", "at"])"#);
    }
}
