//! The report: each protection, whether it holds, and why it matters.

use std::io::Write;

use serde::Serialize;

use super::super::output::Failure;

/// How a probe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Mark {
    Holds,
    Fails,
    /// It could not be tried.
    Unknown,
}

#[derive(Debug, Serialize)]
struct Line {
    mark: Mark,
    name: String,
    why: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    seen: Option<String>,
}

/// All probes so far.
#[derive(Debug, Default)]
pub(super) struct Report(Vec<Line>);

impl Report {
    pub(super) fn holds(&mut self, name: impl Into<String>, why: &'static str) {
        self.0.push(Line {
            mark: Mark::Holds,
            name: name.into(),
            why,
            seen: None,
        });
    }

    pub(super) fn fails(
        &mut self,
        name: impl Into<String>,
        why: &'static str,
        seen: impl Into<String>,
    ) {
        self.0.push(Line {
            mark: Mark::Fails,
            name: name.into(),
            why,
            seen: Some(seen.into()),
        });
    }

    pub(super) fn unknown(
        &mut self,
        name: impl Into<String>,
        why: &'static str,
        seen: impl Into<String>,
    ) {
        self.0.push(Line {
            mark: Mark::Unknown,
            name: name.into(),
            why,
            seen: Some(seen.into()),
        });
    }

    /// Whether every protection was tried and holds.
    pub(super) fn all_hold(&self) -> bool {
        self.0.iter().all(|l| l.mark == Mark::Holds)
    }

    fn count(&self, mark: Mark) -> usize {
        self.0.iter().filter(|l| l.mark == mark).count()
    }

    pub(super) fn print(&self, out: &mut dyn Write) -> Result<(), Failure> {
        for line in &self.0 {
            let mark = match line.mark {
                Mark::Holds => "ok  ",
                Mark::Fails => "FAIL",
                Mark::Unknown => "??  ",
            };
            writeln!(out, "{mark} {}", line.name)?;
            if let Some(seen) = &line.seen {
                writeln!(out, "     seen: {seen}")?;
                writeln!(out, "     why it matters: {}", line.why)?;
            }
        }
        let (holds, fails) = (self.count(Mark::Holds), self.count(Mark::Fails));
        let unknown = self.count(Mark::Unknown);
        writeln!(
            out,
            "{holds} hold, {fails} fail, {unknown} could not be tried"
        )?;
        Ok(())
    }

    pub(super) fn json(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let all = serde_json::json!({
            "holds": self.count(Mark::Holds),
            "fails": self.count(Mark::Fails),
            "unknown": self.count(Mark::Unknown),
            "probes": self.0,
        });
        writeln!(out, "{all:#}")?;
        Ok(())
    }
}
