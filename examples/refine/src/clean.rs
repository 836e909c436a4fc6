//! Corrects a text without understanding it: spacing, doubled words, sentence capitals, quotation marks.

/// The corrected text. Paragraphs stay paragraphs.
pub(crate) fn clean(text: &str) -> String {
    let paragraphs: Vec<String> = text.split("\n\n").map(paragraph).filter(|paragraph| !paragraph.is_empty()).collect();
    paragraphs.join("\n\n")
}

fn paragraph(text: &str) -> String {
    let text = spaced(text);
    quoted(&capitalised(&without_doubles(&text).join(" ")))
}

/// Words of a text.
pub(crate) fn words(text: &str) -> usize {
    text.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric)).count()
}

/// Sentences of a text; one without a full stop counts.
pub(crate) fn sentences(text: &str) -> usize {
    text.split(['.', '!', '?']).filter(|part| part.chars().any(char::is_alphanumeric)).count()
}

/// The corrections that [`clean`] would make, by kind, without empty kinds.
pub(crate) fn findings(text: &str) -> Vec<(&'static str, usize)> {
    let spaced_text = spaced(text);
    let single = without_doubles(&spaced_text);
    let joined = single.join(" ");
    let kinds = [
        ("spacing", changes(text.trim(), &spaced_text)),
        ("doubled words", spaced_text.split_whitespace().count() - single.len()),
        ("sentence capitals", differing_chars(&joined, &capitalised(&joined))),
        ("quotation marks", text.matches('"').count() / 2),
    ];
    kinds.into_iter().filter(|(_, count)| *count > 0).collect()
}

/// Places where white space or its absence differs.
fn changes(before: &str, after: &str) -> usize {
    let runs = before.split(' ').filter(|part| part.is_empty()).count();
    let punctuation =
        [" .", " ,", " !", " ?", " ;", " :"].iter().map(|mark| before.matches(mark).count()).sum::<usize>();
    let missing = after.matches([',', ';']).count().saturating_sub(
        before.matches(", ").count() + before.matches("; ").count() + usize::from(before.ends_with([',', ';'])),
    );
    runs + punctuation + if punctuation == 0 { missing } else { 0 }
}

fn differing_chars(before: &str, after: &str) -> usize {
    before.chars().zip(after.chars()).filter(|(a, b)| a != b).count()
}

/// One space between words, none before a punctuation mark, one after it.
fn spaced(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let chars: Vec<char> = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().collect();
    for (at, &c) in chars.iter().enumerate() {
        let next = chars.get(at + 1).copied();
        if c == ' ' && next.is_some_and(|next| ".,!?;:".contains(next)) {
            continue;
        }
        out.push(c);
        let moved = at > 0 && chars[at - 1] == ' ';
        let glued = match c {
            '.' | '!' | '?' if moved => next.is_some_and(char::is_alphabetic),
            ',' | ';' => next.is_some_and(char::is_alphabetic),
            // The dot in `3.5` or `example.com` does not end a sentence; a full stop before a capital does.
            '.' | '!' | '?' => next.is_some_and(char::is_uppercase) && at > 1 && chars[at - 1].is_lowercase(),
            _ => false,
        };
        if glued {
            out.push(' ');
        }
    }
    out
}

/// The words without doubled ones.
fn without_doubles(text: &str) -> Vec<&str> {
    let mut words: Vec<&str> = Vec::new();
    for word in text.split_whitespace() {
        let double = words.last().is_some_and(|last| {
            last.chars().all(char::is_alphabetic)
                && word.trim_end_matches(['.', ',', '!', '?', ';', ':']).to_lowercase() == last.to_lowercase()
        });
        // "had had" and "that that" may be intended.
        if double && !matches!(word.to_lowercase().as_str(), "had" | "that") {
            // The second one carries the punctuation.
            if let Some(last) = words.last_mut()
                && word.len() > last.len()
            {
                *last = word;
            }
        } else {
            words.push(word);
        }
    }
    words
}

/// A capital at the start of each sentence, and for "i".
fn capitalised(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at_start = true;
    let chars: Vec<char> = text.chars().collect();
    for (at, &c) in chars.iter().enumerate() {
        let alone = c == 'i'
            && at.checked_sub(1).is_none_or(|before| chars[before] == ' ')
            && chars.get(at + 1).is_none_or(|after| " '’,.!?".contains(*after));
        if (at_start || alone) && c.is_alphabetic() {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
        if c.is_alphanumeric() {
            at_start = false;
        } else if matches!(c, '.' | '!' | '?') && chars.get(at + 1).is_some_and(|after| *after == ' ') {
            at_start = true;
        }
    }
    out
}

/// Straight double quotation marks become a pair.
fn quoted(text: &str) -> String {
    if !text.matches('"').count().is_multiple_of(2) {
        return text.to_owned();
    }
    let mut open = false;
    text.chars()
        .map(|c| match c {
            '"' => {
                open = !open;
                if open { '“' } else { '”' }
            }
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_comes_out_clean() {
        let draft =
            "teh  quick brown fox ,jumps over the the lazy dog .he said \"hello\" and i left .  it cost 3.5 euros";
        assert_eq!(
            clean(draft),
            "Teh quick brown fox, jumps over the lazy dog. He said “hello” and I left. It cost 3.5 euros"
        );
    }

    #[test]
    fn a_clean_text_stays_as_it_is() {
        let text = "It is done. She said “yes”, and I left.\n\nA second paragraph: version 3.5 of example.com.";
        assert_eq!(clean(text), text);
        assert_eq!(findings(text), []);
    }

    #[test]
    fn what_is_mended_is_what_was_found() {
        let kinds: Vec<_> = findings("it is  is \"so\" .").into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, ["spacing", "doubled words", "sentence capitals", "quotation marks"]);
    }
}
