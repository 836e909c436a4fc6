//! Documents that the reader takes, and the faults that it names.

use super::read_xml;

fn fault(text: &str) -> Option<String> {
    read_xml(text, |_| {}).err()
}

#[test]
fn visits_every_element() {
    let mut names = Vec::new();
    let text = "<?xml version=\"1.0\"?>\n<!-- a --><!DOCTYPE svg>\n<s:svg xmlns:s='x' viewBox=\"0 0 1 1\">\n<g a='&lt;&#65;'/><![CDATA[<>]]></s:svg>\n";
    read_xml(text, |element| names.push((element.name.to_owned(), element.is_root))).unwrap();
    assert_eq!(names, [("svg".to_owned(), true), ("g".to_owned(), false)]);
}

#[test]
fn accepts_files_of_drawing_programs() {
    for text in [
        "\u{feff}<?xml version='1.0'?>\n<!DOCTYPE svg PUBLIC \"a>\" \"b\" [<!ENTITY x \"y\">]>\n<!-- c > -->\n<svg xmlns='u' xmlns:a='v' viewBox='0 0 1 1' ><g a:b=\"&x;\"><path d = 'M0 0'/></g>\n<style><![CDATA[a<b]]></style><text>a &amp; b &#169;</text></svg>\n",
        "<!DOCTYPE svg [\n<!-- ] --><!ELEMENT svg (#PCDATA)>\n<?a b?><!ENTITY x 'y'> ] >\n<svg>&x;</svg>",
        r#"<svg viewBox="0 0 1 1"><title>größe > 1</title></svg>"#,
    ] {
        assert_eq!(fault(text), None, "{text}");
    }
}

#[test]
fn limits_nesting() {
    let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
    assert_eq!(fault(&nested(super::MAX_DEPTH)), None);
    assert!(fault(&nested(super::MAX_DEPTH + 1)).is_some_and(|fault| fault.contains("more than 256 deep")));
    assert!(fault(&"<a>".repeat(300_000)).is_some_and(|fault| fault.contains("more than 256 deep")));
}

#[test]
fn ends_a_namespace_with_its_element() {
    let text = "<a><b xmlns:x='1'><c xmlns:x='2'/><x:d/></b></a>";
    assert_eq!(fault(text), None);
    let after = "<a><b xmlns:x='1'><c xmlns:x='2'/></b><x:d/></a>";
    assert!(fault(after).is_some_and(|fault| fault.contains("`x:d` is not declared")));
}

#[test]
fn names_each_fault() {
    for (text, part) in [
        ("", "no element"),
        ("hello", "outside the root"),
        ("<a>", "`a` is not closed"),
        ("<a></b>", "closed by `b`"),
        ("</a>", "was not open"),
        ("<a/><b/>", "second root"),
        ("<a/>x", "outside the root"),
        ("<a b='1' b='2'/>", "`b` twice"),
        ("<a b=1/>", "not in quotes"),
        ("<a b/>", "no value"),
        ("<a b='<'/>", "contains `<`"),
        ("<a b='1", "does not end"),
        ("<a b='1' ", "does not end"),
        ("<a><!-- </a>", "does not end"),
        ("<a>&nbsp;</a>", "`&nbsp;` is unknown"),
        ("<a>&</a>", "begins no entity"),
        ("<x:a/>", "not declared"),
        ("<a>\n<b>\n</a>", "on line 3"),
        ("<a>\n 1 < 2</a>", "on line 2"),
        ("<a b='1'c='2'/>", "no space"),
        ("<!-- -- --><a/>", "contains `--`"),
        ("<1/>", "an invalid name"),
        ("<a>\u{1}</a>", "U+0001"),
        ("<!DOCTYPE a [<!ENTITY b '<c/>'>]><a>&b;</a>", "not plain text"),
        ("<!DOCTYPE a [<!ENTITY b 'data:image/png'>]><a/>", "not plain text"),
        ("<!DOCTYPE a [<!ENTITY b SYSTEM 'c'>]><a>&b;</a>", "`&b;` is unknown"),
        ("<!DOCTYPE a [%b;]><a/>", "not supported"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>", "not supported"),
        ("<a/><!DOCTYPE a>", "behind the root"),
    ] {
        assert!(fault(text).is_some_and(|fault| fault.contains(part)), "{text:?}: {:?}", fault(text));
    }
}

#[test]
fn no_prefix_of_a_document_panics() {
    let text =
        "<?xml?><!DOCTYPE svg [<!ENTITY x 'ü'>]><svg viewBox='0 0 1 1'><!--é--><g a=\"ü\"><![CDATA[<]]></g>&x;</svg>";
    for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
        assert!(fault(&text[..end]).is_some(), "{}", &text[..end]);
    }
    assert_eq!(fault(text), None);
}
