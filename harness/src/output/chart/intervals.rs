//! Ratios with their intervals, one below the other, against the band in which they count as none.

use super::axis::Axis;
use super::{LEFT, WIDTH, label, line, pixels, width_of};
use crate::output::markup::Markup;

const TOP: f64 = 26.0;
const ROW: f64 = 50.0;
const MARGIN: f64 = 16.0;
/// The axis reaches so many times farther than the farthest interval.
const ROOM: f64 = 1.05;

/// One ratio.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct IntervalRow {
    /// What it is of.
    pub(crate) name: String,
    /// The ratio and its verdict, in words.
    pub(crate) outcome: String,
    /// How the outcome looks: a class of the style.
    pub(crate) class: &'static str,
    pub(crate) ratio: Option<f64>,
    pub(crate) interval: Option<(f64, f64)>,
    /// What to hold it against: the interval of a ratio that ought to be 1.
    pub(crate) control: Option<(f64, f64)>,
    /// Single values, as ratios: above the line those of A or of the control, below it those of B.
    pub(crate) strips: [Vec<f64>; 2],
}

/// Ratios that belong together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Intervals {
    /// What is seen, for those who do not see it.
    pub(crate) summary: String,
    /// A change below this share counts as none.
    pub(crate) delta: f64,
    pub(crate) rows: Vec<IntervalRow>,
}

impl Intervals {
    /// Ratios under a name, told one by one to those who do not see them.
    pub(crate) fn of(name: &str, delta: f64, rows: Vec<IntervalRow>) -> Self {
        let told = rows.iter().map(|row| format!("{} {}", row.name, row.outcome));
        let summary = format!("{name}: {}", told.collect::<Vec<_>>().join(", "));
        Self { summary, delta, rows }
    }

    /// Draws them as an element of a page.
    pub(crate) fn draw(&self, markup: &mut Markup) {
        #[expect(clippy::cast_precision_loss, reason = "a few dozen rows")]
        let bottom = TOP + ROW * self.rows.len() as f64;
        let view = format!("0 0 {WIDTH} {}", bottom + 20.0);
        let attributes =
            [("viewBox", view.as_str()), ("role", "img"), ("aria-label", self.summary.as_str())];
        let axis = self.axis();
        markup.around("svg", &attributes, |markup| {
            self.draw_axis(markup, &axis, bottom);
            for (number, row) in (0u32..).zip(&self.rows) {
                draw_row(markup, &axis, row, TOP + ROW * f64::from(number));
            }
        });
    }

    fn axis(&self) -> Axis {
        let ends = |row: &IntervalRow| {
            let (low, high) = row.interval.unwrap_or((1.0, 1.0));
            let (lowest, highest) = row.control.unwrap_or((1.0, 1.0));
            [low, high, lowest, highest, row.ratio.unwrap_or(1.0)]
        };
        let far = self.rows.iter().flat_map(ends).map(|ratio| ratio.max(1.0 / ratio));
        Axis::ratios("B over A", far.fold(1.0 + 2.0 * self.delta, f64::max) * ROOM)
    }

    fn draw_axis(&self, markup: &mut Markup, axis: &Axis, bottom: f64) {
        let (low, high) = (place(axis, 1.0 / (1.0 + self.delta)), place(axis, 1.0 + self.delta));
        let (x, y) = (pixels(low), pixels(TOP));
        let (width, height) = (pixels(high - low), pixels(bottom - TOP));
        let attributes =
            [("class", "delta"), ("x", &x), ("y", &y), ("width", &width), ("height", &height)];
        let told = format!("no more than {:.1}% counts as no change", 100.0 * self.delta);
        markup.around("rect", &attributes, |markup| markup.element("title", &[], &told));
        // No change first, then outwards: what is near the middle matters most.
        let mut ticks: Vec<&(f64, String)> = axis.ticks.iter().collect();
        ticks.sort_by(|(a, _), (b, _)| a.ln().abs().total_cmp(&b.ln().abs()));
        let mut taken: Vec<(f64, f64)> = Vec::new();
        for (ratio, text) in ticks {
            let (x, half) = (place(axis, *ratio), width_of(text) / 2.0);
            if taken.iter().any(|(other, width)| (x - other).abs() < half + width) {
                continue;
            }
            taken.push((x, half));
            let none = (ratio - 1.0).abs() < 1e-9;
            line(markup, if none { "axis" } else { "grid" }, (x, TOP), (x, bottom));
            label(markup, "tick", "middle", (x, TOP - 8.0), text);
            label(markup, "tick", "middle", (x, bottom + 16.0), text);
        }
    }
}

fn place(axis: &Axis, ratio: f64) -> f64 {
    axis.place(ratio, LEFT / 2.0, WIDTH - LEFT / 2.0)
}

fn draw_row(markup: &mut Markup, axis: &Axis, row: &IntervalRow, top: f64) {
    let (text, middle) = (top + 17.0, top + 33.0);
    label(markup, "row", "start", (MARGIN, text), &row.name);
    let class = format!("row {}", row.class);
    label(markup, &class, "end", (WIDTH - MARGIN, text), &row.outcome);
    for (values, y) in row.strips.iter().zip([middle - 8.0, middle + 8.0]) {
        for value in values.iter().filter(|value| value.is_finite() && **value > 0.0) {
            let x = place(axis, *value);
            line(markup, "strip", (x, y - 3.0), (x, y + 3.0));
        }
    }
    if let Some((low, high)) = row.control {
        let y = middle - 8.0;
        line(markup, "control", (place(axis, low), y), (place(axis, high), y));
    }
    if let Some((low, high)) = row.interval {
        let path = format!("interval {}", row.class);
        line(markup, &path, (place(axis, low), middle), (place(axis, high), middle));
    }
    if let Some(ratio) = row.ratio {
        let (x, y) = (pixels(place(axis, ratio)), pixels(middle));
        let class = format!("estimate {}", row.class);
        let attributes = [("class", class.as_str()), ("cx", &x), ("cy", &y), ("r", "4.5")];
        let told = format!("{}: {}", row.name, row.outcome);
        markup.around("circle", &attributes, |markup| markup.element("title", &[], &told));
    }
}
