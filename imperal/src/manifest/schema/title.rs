//! Titles of fields, by the reference SDK's rule: Python's `str.title()` with `_` as a space.
//!
//! A letter after anything but a letter is upper case, every other letter lower case: `row_id` becomes
//! `Row Id`, `itemURL` becomes `Itemurl`.

/// The title of a field with this name.
pub(crate) fn from_name(name: &str) -> String {
    let mut title = String::with_capacity(name.len());
    let mut after_letter = false;
    for c in name.chars() {
        if after_letter {
            title.extend(c.to_lowercase());
        } else {
            title.extend(c.to_uppercase());
        }
        after_letter = c.is_lowercase() || c.is_uppercase();
    }
    title.replace('_', " ").trim().to_owned()
}

/// `wire_transfer`, `wire-transfer` or `wireTransfer` as the name of a type.
pub(super) fn type_name(tag: &str) -> String {
    let mut name = String::with_capacity(tag.len());
    let mut at_start = true;
    for c in tag.chars() {
        if c.is_alphanumeric() {
            if at_start {
                name.extend(c.to_uppercase());
            } else {
                name.push(c);
            }
            at_start = false;
        } else {
            at_start = true;
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_equal_those_of_the_reference() {
        let cases = [
            ("row_id", "Row Id"),
            ("itemURL", "Itemurl"),
            ("row2col_id", "Row2Col Id"),
            ("_private_", "Private"),
            ("x", "X"),
            ("größe_ä", "Größe Ä"),
            ("a__b", "A  B"),
        ];
        for (name, title) in cases {
            assert_eq!(from_name(name), title);
        }
    }

    #[test]
    fn turns_a_tag_into_a_type_name() {
        for (tag, name) in [("wire_transfer", "WireTransfer"), ("cat", "Cat"), ("Cat", "Cat"), ("a-b", "AB")] {
            assert_eq!(type_name(tag), name);
        }
    }
}
