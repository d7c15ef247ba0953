//! Figures and the Markdown table that they make.

use crate::measure::{Result, Sample};

#[derive(Clone, Copy, Debug)]
pub enum Unit {
    Seconds,
    Millis,
    Mib,
}

#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// At most this many times what it is compared with.
    Ratio(f64),
    /// At most this much.
    Value(f64),
}

#[derive(Debug)]
pub struct Figure {
    pub what: String,
    pub unit: Unit,
    pub tow: Result<Sample>,
    /// What else did the same in the same minutes, and how long that took.
    pub against: Option<(String, Sample)>,
    pub target: Target,
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            Unit::Seconds => format!("{value:.2} s"),
            Unit::Millis => format!("{:.1} ms", value * 1000.0),
            Unit::Mib => format!("{value:.2} MiB"),
        }
    }

    fn show_sample(self, sample: &Sample) -> String {
        let (least, most) = (sample.least(), sample.most());
        let spread = if most > least {
            format!(" ({}–{})", self.show(least).split(' ').next().unwrap_or(""), self.show(most))
        } else {
            String::new()
        };
        format!("{}{spread}", self.show(sample.median()))
    }
}

impl Figure {
    fn ratio(&self) -> Option<f64> {
        let (_, against) = self.against.as_ref()?;
        Some(self.tow.as_ref().ok()?.median() / against.median())
    }

    fn reached(&self) -> Option<bool> {
        match self.target {
            Target::Ratio(most) => self.ratio().map(|ratio| ratio <= most),
            Target::Value(most) => self.tow.as_ref().ok().map(|sample| sample.median() <= most),
        }
    }

    fn row(&self) -> String {
        let against = self.against.as_ref().map_or_else(
            || "–".into(),
            |(what, sample)| format!("{what}: {}", self.unit.show_sample(sample)),
        );
        let tow = self.tow.as_ref().map_or_else(|_| "failed".into(), |sample| self.unit.show_sample(sample));
        let ratio = self.ratio().map_or_else(|| "–".into(), |ratio| format!("{ratio:.2}"));
        let target = match self.target {
            Target::Ratio(most) => format!("{most:.2}"),
            Target::Value(most) => self.unit.show(most),
        };
        let verdict = self.reached().map_or("?", |reached| if reached { "yes" } else { "**no**" });
        format!("| {} | {against} | {tow} | {ratio} | {target} | {verdict} |", self.what)
    }
}

/// The whole table, then what went wrong.
pub fn table(figures: &[Figure]) -> String {
    let mut lines = vec![
        "| | compared with | Towline | ratio | at most | reached |".to_owned(),
        "|---|---|---|---|---|---|".to_owned(),
    ];
    lines.extend(figures.iter().map(Figure::row));
    for figure in figures {
        if let Err(error) = &figure.tow {
            lines.push(format!("\n{}: {error}", figure.what));
        }
    }
    lines.join("\n")
}
