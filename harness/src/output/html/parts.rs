//! What pages are put together from: the frame, figures, tables, lists of notes.

use crate::output::chart::{self, Chart, Intervals};
use crate::output::grid::Grid;
use crate::output::markup::Markup;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("readout.js");
/// The browser is told to load nothing, from anywhere.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

/// A whole document.
pub(super) fn document(title: &str, body: impl FnOnce(&mut Markup)) -> String {
    let mut markup = Markup::default();
    markup.fixed("<!DOCTYPE html>\n");
    let root = [("lang", "en"), ("xmlns", "http://www.w3.org/1999/xhtml")];
    markup.around("html", &root, |markup| {
        markup.around("head", &[], |markup| {
            markup.empty("meta", &[("charset", "utf-8")]);
            let view = [("name", "viewport"), ("content", "width=device-width, initial-scale=1")];
            markup.empty("meta", &view);
            markup.empty("meta", &[("name", "color-scheme"), ("content", "light dark")]);
            let policy = [("http-equiv", "Content-Security-Policy"), ("content", POLICY)];
            markup.empty("meta", &policy);
            markup.element("title", &[], title);
            markup.around("style", &[], |markup| {
                markup.fixed(chart::STYLE);
                markup.fixed(STYLE);
            });
        });
        markup.line_break();
        markup.around("body", &[], |markup| {
            body(markup);
            markup.line_break();
            markup.around("script", &[], |markup| markup.fixed(SCRIPT));
        });
    });
    markup.line_break();
    markup.finish()
}

/// A chart with its title and the place where values are told.
pub(super) fn figure(markup: &mut Markup, title: &str, chart: &Chart) {
    markup.line_break();
    markup.around("figure", &[], |markup| {
        markup.around("figcaption", &[], |markup| {
            markup.text(title);
            markup.element("output", &[], "");
        });
        chart.draw(markup);
    });
}

/// Ratios in place of a chart.
pub(super) fn intervals(markup: &mut Markup, title: &str, intervals: &Intervals) {
    markup.line_break();
    markup.around("figure", &[("class", "wide")], |markup| {
        markup.element("figcaption", &[], title);
        intervals.draw(markup);
    });
}

/// Charts beside each other, where there is room.
pub(super) fn figures(markup: &mut Markup, charts: &[(String, Chart)]) {
    markup.around("div", &[("class", "charts")], |markup| {
        for (title, chart) in charts {
            figure(markup, title, chart);
        }
    });
}

/// A table that scrolls for itself where it is too wide.
pub(super) fn table(markup: &mut Markup, name: &str, grid: &Grid) {
    markup.line_break();
    let attributes =
        [("class", "scroll"), ("tabindex", "0"), ("role", "region"), ("aria-label", name)];
    markup.around("div", &attributes, |markup| grid.html(markup));
}

/// A box of things to know before reading on; nothing if there are none.
pub(super) fn notes(markup: &mut Markup, notes: &[String]) {
    if notes.is_empty() {
        return;
    }
    markup.line_break();
    markup.around("aside", &[("class", "notes"), ("aria-label", "Warnings")], |markup| {
        markup.around("ul", &[], |markup| {
            for note in notes {
                markup.element("li", &[], note);
            }
        });
    });
}

/// Terms and what they are.
pub(super) fn terms(markup: &mut Markup, terms: &[(&str, String)]) {
    markup.around("dl", &[], |markup| {
        for (term, value) in terms {
            markup.element("dt", &[], term);
            markup.element("dd", &[], value);
        }
    });
}

/// Text as it is, to be opened by who wants it.
pub(super) fn folded(markup: &mut Markup, name: &str, text: &str) {
    markup.line_break();
    markup.around("details", &[], |markup| {
        markup.element("summary", &[], name);
        markup.element("pre", &[], text);
    });
}

/// A paragraph.
pub(super) fn paragraph(markup: &mut Markup, class: &str, text: &str) {
    markup.line_break();
    markup.element("p", &[("class", class)], text);
}
