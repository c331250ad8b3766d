//! Markup whose elements always close and whose text is always escaped.

/// HTML or SVG under construction; well-formed as XML too.
#[derive(Debug, Default)]
pub(crate) struct Markup(String);

/// Names and values of attributes. Names are ours, values may be anybody's.
pub(crate) type Attributes<'a> = &'a [(&'static str, &'a str)];

impl Markup {
    /// An element around what `inside` adds.
    pub(crate) fn around(
        &mut self,
        tag: &'static str,
        attributes: Attributes<'_>,
        inside: impl FnOnce(&mut Self),
    ) {
        self.open(tag, attributes);
        self.0.push('>');
        inside(self);
        self.0.push_str("</");
        self.0.push_str(tag);
        self.0.push('>');
    }

    /// An element around text.
    pub(crate) fn element(&mut self, tag: &'static str, attributes: Attributes<'_>, text: &str) {
        self.around(tag, attributes, |markup| markup.text(text));
    }

    /// An element with nothing in it.
    pub(crate) fn empty(&mut self, tag: &'static str, attributes: Attributes<'_>) {
        self.open(tag, attributes);
        self.0.push_str("/>");
    }

    /// Text from anywhere.
    pub(crate) fn text(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                // No document may contain these, not even escaped.
                '\u{fffe}' | '\u{ffff}' => self.0.push('\u{fffd}'),
                other if other.is_control() && !other.is_whitespace() => self.0.push('\u{fffd}'),
                other => self.0.push(other),
            }
        }
    }

    /// What is part of the program, and so needs no escaping.
    pub(crate) fn fixed(&mut self, markup: &'static str) {
        self.0.push_str(markup);
    }

    pub(crate) fn line_break(&mut self) {
        self.0.push('\n');
    }

    pub(crate) fn finish(self) -> String {
        self.0
    }

    fn open(&mut self, tag: &'static str, attributes: Attributes<'_>) {
        self.0.push('<');
        self.0.push_str(tag);
        for (name, value) in attributes {
            self.0.push(' ');
            self.0.push_str(name);
            self.0.push_str("=\"");
            self.text(value);
            self.0.push('"');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_attributes_are_escaped_and_elements_close() {
        let mut markup = Markup::default();
        markup.around("p", &[("title", "\"><b>")], |markup| {
            markup.text("a < b & 'c'\u{0}");
            markup.empty("br", &[]);
        });
        let expected =
            "<p title=\"&quot;&gt;&lt;b&gt;\">a &lt; b &amp; &#39;c&#39;\u{fffd}<br/></p>";
        assert_eq!(markup.finish(), expected);
    }
}
