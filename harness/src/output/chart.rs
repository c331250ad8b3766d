//! Charts as SVG: lines over a grid, with bands, marks, and a label at each line's end.
//!
//! A chart is drawn narrow, so that it stays legible on a phone, where its letters are larger.

mod axis;
mod intervals;

pub(crate) use axis::Axis;
pub(crate) use intervals::{IntervalRow, Intervals};

use std::fmt::Write as _;

use super::markup::Markup;

/// How charts look, in pages and on their own.
pub(crate) const STYLE: &str = include_str!("chart/chart.css");

const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 306.0;
const LEFT: f64 = 68.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 50.0;
/// Room that a letter takes where letters are large.
const LETTER: f64 = 9.4;
const LINE_HEIGHT: f64 = 17.0;
/// A label longer than this is cut.
const LABEL_MAX: usize = 15;
/// Lines differ by colour and by dashes; the style knows so many of them.
const STYLES: usize = 8;

/// A point that is told when pointed at.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Dot {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) text: String,
    /// Seen, and not only felt.
    pub(crate) seen: bool,
}

/// What belongs together.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Line {
    /// Written at its end; nothing for a line behind another.
    pub(crate) label: String,
    /// Which colour and dashes.
    pub(crate) style: usize,
    /// In the background: the other repeats.
    pub(crate) faint: bool,
    /// Stretches without a gap.
    pub(crate) stretches: Vec<Vec<(f64, f64)>>,
    pub(crate) dots: Vec<Dot>,
    /// From lowest to highest, at a position.
    pub(crate) ranges: Vec<(f64, f64, f64)>,
}

/// A figure that varies, at a position.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) y: f64,
    /// How far it reaches down and up.
    pub(crate) range: (f64, f64),
    /// What is told of it.
    pub(crate) text: String,
    /// Points of different groups are not joined.
    pub(crate) group: String,
}

impl Line {
    /// A line from left to right through points in any order, broken where their groups change.
    pub(crate) fn through(label: &str, style: usize, points: Vec<Point>) -> Self {
        let mut ordered: Vec<&Point> = points.iter().collect();
        ordered.sort_by(|a, b| a.x.total_cmp(&b.x));
        let stretches = ordered.chunk_by(|a, b| a.group == b.group);
        let stretches =
            stretches.map(|points| points.iter().map(|point| (point.x, point.y)).collect());
        let stretches = stretches.collect();
        let ranges = points.iter().map(|point| (point.x, point.range.0, point.range.1)).collect();
        let seen = true;
        let dots = points.into_iter().map(|Point { x, y, text, .. }| Dot { x, y, text, seen });
        let (label, dots) = (label.to_owned(), dots.collect());
        Self { label, style, stretches, dots, ranges, ..Self::default() }
    }
}

/// A part of the x axis with a name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Band {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) label: String,
}

/// Something to hold the lines against.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Mark {
    /// A level over the whole width.
    Level { y: f64, label: String },
    /// An objective at one place.
    Objective { x: f64, y: f64, text: String },
}

/// Lines in a frame.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Chart {
    /// What is seen, for those who do not see it.
    pub(crate) summary: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) bands: Vec<Band>,
    pub(crate) marks: Vec<Mark>,
    pub(crate) lines: Vec<Line>,
}

impl Chart {
    /// Draws it as an element of a page.
    pub(crate) fn draw(&self, markup: &mut Markup) {
        let view = format!("0 0 {WIDTH} {HEIGHT}");
        let attributes =
            [("viewBox", view.as_str()), ("role", "img"), ("aria-label", self.summary.as_str())];
        markup.around("svg", &attributes, |markup| self.draw_inside(markup));
    }

    /// Draws it as a document of its own, below a title.
    pub(crate) fn document(&self, title: &str) -> String {
        let mut markup = Markup::default();
        let view = format!("0 -30 {WIDTH} {}", HEIGHT + 30.0);
        let attributes = [
            ("xmlns", "http://www.w3.org/2000/svg"),
            ("class", "alone"),
            ("viewBox", view.as_str()),
            ("width", "620"),
            ("role", "img"),
            ("aria-label", self.summary.as_str()),
        ];
        markup.around("svg", &attributes, |markup| {
            markup.around("style", &[], |markup| markup.fixed(STYLE));
            markup.empty(
                "rect",
                &[("class", "paper"), ("y", "-30"), ("width", "100%"), ("height", "100%")],
            );
            label(markup, "title", "start", (8.0, -10.0), title);
            self.draw_inside(markup);
        });
        markup.line_break();
        markup.finish()
    }

    fn draw_inside(&self, markup: &mut Markup) {
        self.draw_bands(markup);
        self.draw_axes(markup);
        self.draw_marks(markup);
        // Those in the background first.
        for line in self.lines.iter().filter(|line| line.faint) {
            self.draw_line(markup, line);
        }
        for line in self.lines.iter().filter(|line| !line.faint) {
            self.draw_line(markup, line);
        }
        self.draw_labels(markup);
    }

    fn right(&self) -> f64 {
        let longest = self.lines.iter().map(|line| line.label.chars().count()).max().unwrap_or(0);
        #[expect(clippy::cast_precision_loss, reason = "at most LABEL_MAX")]
        let room = longest.min(LABEL_MAX) as f64 * LETTER;
        WIDTH - 16.0 - room
    }

    fn at(&self, x: f64, y: f64) -> (f64, f64) {
        (self.x.place(x, LEFT, self.right()), self.y.place(y, HEIGHT - BOTTOM, TOP))
    }

    fn draw_bands(&self, markup: &mut Markup) {
        for (number, band) in self.bands.iter().enumerate() {
            let (from, to) = (
                self.x.place(band.from, LEFT, self.right()),
                self.x.place(band.to, LEFT, self.right()),
            );
            let class = if number % 2 == 0 { "band" } else { "band odd" };
            let (x, y) = (pixels(from), pixels(TOP));
            let (width, height) = (pixels(to - from), pixels(HEIGHT - BOTTOM - TOP));
            let attributes =
                [("class", class), ("x", &x), ("y", &y), ("width", &width), ("height", &height)];
            markup.around("rect", &attributes, |markup| markup.element("title", &[], &band.label));
            if width_of(&band.label) <= to - from {
                label(markup, "name", "middle", (f64::midpoint(from, to), TOP - 6.0), &band.label);
            }
        }
    }

    fn draw_axes(&self, markup: &mut Markup) {
        let (right, bottom) = (self.right(), HEIGHT - BOTTOM);
        label(markup, "name", "start", (8.0, 16.0), &self.y.name);
        label(markup, "name", "middle", (f64::midpoint(LEFT, right), HEIGHT - 6.0), &self.x.name);
        for (value, text) in &self.y.ticks {
            let y = self.y.place(*value, bottom, TOP);
            line(markup, "grid", (LEFT, y), (right, y));
            label(markup, "tick", "end", (LEFT - 6.0, y + 4.5), text);
        }
        let mut free_from = 0.0;
        for (value, text) in &self.x.ticks {
            let x = self.x.place(*value, LEFT, right);
            line(markup, "grid", (x, TOP), (x, bottom));
            let half = width_of(text) / 2.0;
            if x - half >= free_from {
                label(markup, "tick", "middle", (x, bottom + 22.0), text);
                free_from = x + half;
            }
        }
        line(markup, "axis", (LEFT, bottom), (right, bottom));
    }

    fn draw_marks(&self, markup: &mut Markup) {
        for mark in &self.marks {
            match mark {
                Mark::Level { y, label: text } => {
                    let (_, y) = self.at(1.0, *y);
                    line(markup, "level", (LEFT, y), (self.right(), y));
                    // Below it, where lines seldom go, if there is room.
                    let below = y + LINE_HEIGHT < HEIGHT - BOTTOM;
                    let text_y = if below { y + 14.0 } else { y - 5.0 };
                    label(markup, "name", "end", (self.right() - 4.0, text_y), text);
                }
                Mark::Objective { x, y, text } => {
                    let (x, y) = self.at(*x, *y);
                    let path = format!("M{x:.1} {y:.1}l-6 -9h12z");
                    let attributes = [("class", "objective"), ("d", path.as_str())];
                    markup.around("path", &attributes, |markup| {
                        markup.element("title", &[], text);
                    });
                }
            }
        }
    }

    fn draw_line(&self, markup: &mut Markup, line: &Line) {
        let mut path = String::new();
        for stretch in &line.stretches {
            let mut command = 'M';
            for (x, y) in stretch.iter().filter(|(x, y)| x.is_finite() && y.is_finite()) {
                let (x, y) = self.at(*x, *y);
                let _ = write!(path, "{command}{x:.1} {y:.1}");
                command = 'L';
            }
        }
        let style = line.style % STYLES;
        let faint = if line.faint { " faint" } else { "" };
        if !path.is_empty() {
            markup.empty("path", &[("class", &format!("line s{style}{faint}")), ("d", &path)]);
        }
        for (x, low, high) in &line.ranges {
            let ((x, low), (_, high)) = (self.at(*x, *low), self.at(*x, *high));
            let range = format!("M{x:.1} {low:.1}V{high:.1}");
            markup.empty("path", &[("class", &format!("range s{style}")), ("d", &range)]);
        }
        for dot in &line.dots {
            let (x, y) = self.at(dot.x, dot.y);
            let seen = if dot.seen { "" } else { " hidden" };
            let class = format!("dot s{style}{seen}");
            let (x, y) = (pixels(x), pixels(y));
            let attributes = [("class", class.as_str()), ("cx", &x), ("cy", &y), ("r", "3")];
            markup.around("circle", &attributes, |markup| markup.element("title", &[], &dot.text));
        }
    }

    /// Each at the height of its line's end, pushed apart where they would cover each other.
    fn draw_labels(&self, markup: &mut Markup) {
        let mut ends: Vec<(f64, &Line)> = self
            .lines
            .iter()
            .filter(|line| !line.label.is_empty())
            .filter_map(|line| {
                let (x, y) = line.stretches.iter().flatten().next_back()?;
                Some((self.at(*x, *y).1, line))
            })
            .collect();
        ends.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        let mut heights: Vec<f64> = ends.iter().map(|(y, _)| *y).collect();
        spread_out(&mut heights, LINE_HEIGHT, HEIGHT - BOTTOM);
        for ((_, line), y) in ends.iter().zip(heights) {
            let class = format!("label s{}", line.style % STYLES);
            label(markup, &class, "start", (self.right() + 7.0, y + 4.5), &cut(&line.label));
        }
    }
}

/// Pushes sorted heights down until they are `distance` apart, then up from `last`.
fn spread_out(heights: &mut [f64], distance: f64, last: f64) {
    for number in 1..heights.len() {
        heights[number] = heights[number].max(heights[number - 1] + distance);
    }
    let mut limit = last;
    for height in heights.iter_mut().rev() {
        *height = height.min(limit);
        limit = *height - distance;
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= LABEL_MAX {
        return text.to_owned();
    }
    text.chars().take(LABEL_MAX - 1).chain(['…']).collect()
}

#[expect(clippy::cast_precision_loss, reason = "labels are short")]
fn width_of(text: &str) -> f64 {
    (text.chars().count() + 1) as f64 * LETTER
}

fn pixels(value: f64) -> String {
    format!("{value:.1}")
}

fn label(markup: &mut Markup, class: &str, anchor: &str, at: (f64, f64), text: &str) {
    let (x, y) = (pixels(at.0), pixels(at.1));
    let attributes = [("class", class), ("text-anchor", anchor), ("x", &x), ("y", &y)];
    markup.element("text", &attributes, text);
}

fn line(markup: &mut Markup, class: &str, from: (f64, f64), to: (f64, f64)) {
    let path = format!("M{:.1} {:.1}L{:.1} {:.1}", from.0, from.1, to.0, to.1);
    markup.empty("path", &[("class", class), ("d", &path)]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::units;

    fn chart(points: Vec<(f64, f64)>) -> Chart {
        let y = Axis::log("latency", [10.0, 1e6].into_iter(), units::show_ns).expect("values");
        let line = Line { label: "<get>".to_owned(), stretches: vec![points], ..Line::default() };
        Chart {
            summary: "a \"chart\"".to_owned(),
            x: Axis::percentiles(1e3),
            y,
            bands: Vec::new(),
            marks: Vec::new(),
            lines: vec![line],
        }
    }

    #[test]
    fn what_cannot_be_placed_is_left_out() {
        let svg = chart(vec![(1.0, f64::NAN), (f64::INFINITY, 5.0), (10.0, 100.0)]).document("t");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        let (_, path) = svg.split_once("class=\"line s0\" d=\"M").expect("a line");
        let (points, _) = path.split_once('"').expect("its end");
        assert!(!points.contains('L'), "one of three can be placed: {points}");
        assert!(svg.contains("&lt;get&gt;") && svg.contains("a &quot;chart&quot;"), "{svg}");
    }

    #[test]
    fn labels_do_not_cover_each_other_and_stay_inside() {
        let mut heights = [100.0, 101.0, 102.0, 250.0, 251.0];
        spread_out(&mut heights, 17.0, 256.0);
        assert!(heights.windows(2).all(|pair| pair[1] - pair[0] >= 16.999), "{heights:?}");
        assert!(heights[4] <= 256.0 && heights[0] >= 0.0);
        assert_eq!(cut("a label that is too long"), "a label that i…");
    }
}
