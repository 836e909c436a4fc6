//! A place in a manifest during a walk through it.
//!
//! Lives on the walker's stack. Most places are fine, so the path is formatted only for a finding.

use std::fmt;

/// A place: the one around it and the step into it. Displays as `tools.0.name`.
#[derive(Clone, Copy)]
pub(crate) struct Trail<'a> {
    up: Option<&'a Trail<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

impl<'a> Trail<'a> {
    /// The root; its path is empty.
    pub(crate) const ROOT: Trail<'static> = Trail { up: None, step: Step::Key("") };

    /// A place with this path.
    pub(crate) const fn at(path: &'a str) -> Self {
        Self { up: None, step: Step::Key(path) }
    }

    /// The member `key` of this place.
    pub(crate) const fn key<'b>(&'b self, key: &'b str) -> Trail<'b> {
        Trail { up: Some(self), step: Step::Key(key) }
    }

    /// The item `index` of this place.
    pub(crate) const fn index(&self, index: usize) -> Trail<'_> {
        Trail { up: Some(self), step: Step::Index(index) }
    }

    /// Whether this is a member with this key.
    pub(crate) fn is_key(&self, key: &str) -> bool {
        matches!(self.step, Step::Key(own) if own == key)
    }

    fn is_root(&self) -> bool {
        self.up.is_none() && matches!(self.step, Step::Key(""))
    }
}

impl fmt::Display for Trail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(up) = self.up.filter(|up| !up.is_root()) {
            write!(f, "{up}.")?;
        }
        match self.step {
            Step::Key(key) => f.write_str(key),
            Step::Index(index) => write!(f, "{index}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn displays_as_a_path() {
        assert_eq!(Trail::ROOT.to_string(), "");
        let tools = Trail::ROOT.key("tools");
        let tool = tools.index(3);
        assert_eq!(tool.key("name").to_string(), "tools.3.name");
        assert_eq!(Trail::at("panels.0.tree").key("props").to_string(), "panels.0.tree.props");
        assert!(tool.key("name").is_key("name") && !tool.is_key("tools"));
    }
}
