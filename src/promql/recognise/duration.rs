//! Ranges, offsets and timestamps.

use super::super::lex::{duration_secs, number_value};
use super::super::refusal::{Fault, Limit, Reason};
use super::{Kind, Recogniser, Word};

impl Recogniser<'_> {
    /// Reads `[range]`, `[range:]` or `[range:step]`.
    pub(super) fn range(&mut self) -> Result<(), Fault> {
        self.advance()?;
        let first = self.tok;
        self.duration_expression()?;
        self.bound_range(first.start)?;
        if self.tok.kind == Kind::Colon {
            self.advance()?;
            if self.tok.kind != Kind::RightBracket {
                self.duration_expression()?;
            }
        }
        self.expect(Kind::RightBracket, "in subquery or range", "`]`")
    }

    /// Holds the range that begins at `start` and ends before the current token against its limit.
    fn bound_range(&self, start: usize) -> Result<(), Fault> {
        let Some(most) = self.rules.guards.max_range else {
            return Ok(());
        };
        let text = self.text.get(start..self.tok.start).unwrap_or_default();
        let text = text.split('#').next().unwrap_or_default().trim_ascii();
        let fault = |what| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a configured number of seconds, at most 10^9"
            )]
            let most = most.secs() as usize;
            Fault::at(
                start,
                Reason::Limit(Limit {
                    what,
                    option: "max_range",
                    most,
                }),
            )
        };
        match duration_secs(text).or_else(|| number_value(text)) {
            Some(secs) if secs <= most.secs() => Ok(()),
            Some(_) => Err(fault("the range is too long, in seconds")),
            None => Err(fault("a range must be one plain duration, in seconds")),
        }
    }

    /// Reads what follows `offset`. What comes after the first part of a sum is read as an operand
    /// like any other.
    pub(super) fn offset(&mut self) -> Result<(), Fault> {
        self.duration(false)
    }

    /// Reads a duration with operators.
    fn duration_expression(&mut self) -> Result<(), Fault> {
        self.duration(true)
    }

    /// Reads a duration; operators outside parentheses belong to it if `whole`.
    fn duration(&mut self, whole: bool) -> Result<(), Fault> {
        // Each open group, innermost last: whether it still needs a comma.
        let mut groups: u128 = 0;
        let mut depth = 0_usize;
        loop {
            while matches!(self.tok.kind, Kind::Add | Kind::Sub) {
                self.count_operator()?;
                self.advance()?;
            }
            match self.tok.kind {
                Kind::Number | Kind::Duration => self.advance()?,
                Kind::Word(Word::StepOrRange) => {
                    self.advance()?;
                    self.expect(Kind::LeftParen, "in duration expression", "`(`")?;
                    self.expect(Kind::RightParen, "in duration expression", "`)`")?;
                }
                Kind::LeftParen | Kind::Word(Word::MinOrMax) | Kind::Word(Word::Aggregation) => {
                    let pair = self.tok.kind != Kind::LeftParen;
                    if pair {
                        self.min_or_max()?;
                    }
                    self.expect(Kind::LeftParen, "in duration expression", "`(`")?;
                    groups = groups << 1 | u128::from(pair);
                    depth += 1;
                    let most = self.rules.guards.depth().saturating_sub(self.depth);
                    self.bound(depth, most, "nested too deeply", "max_depth")?;
                    continue;
                }
                _ => {
                    return Err(
                        self.unexpected("in duration", "number, duration, step(), or range()")
                    );
                }
            }
            loop {
                match self.tok.kind {
                    Kind::RightParen if depth > 0 => {
                        if groups & 1 == 1 {
                            return Err(self.unexpected("in duration expression", "`,`"));
                        }
                        groups >>= 1;
                        depth -= 1;
                        self.advance()?;
                    }
                    Kind::Comma if depth > 0 && groups & 1 == 1 => {
                        groups &= !1;
                        self.advance()?;
                        break;
                    }
                    Kind::Add | Kind::Sub | Kind::Mul | Kind::Div | Kind::Mod | Kind::Pow
                        if whole || depth > 0 =>
                    {
                        self.count_operator()?;
                        self.advance()?;
                        break;
                    }
                    _ if depth > 0 => {
                        return Err(self.unexpected("in duration expression", "`)`"));
                    }
                    _ => return Ok(()),
                }
            }
        }
    }

    /// Reads `min_of`, `max_of` or, as releases around 3.9 wrote them, `min`, `max`.
    fn min_or_max(&mut self) -> Result<(), Fault> {
        let word = self.span(self.tok);
        let known = ["min_of", "max_of", "min", "max"];
        if known.iter().any(|k| word.eq_ignore_ascii_case(k)) {
            self.advance()
        } else {
            Err(self.unexpected("in duration", "number, duration, step(), or range()"))
        }
    }

    /// Reads what follows `@`.
    pub(super) fn at(&mut self) -> Result<(), Fault> {
        if self.tok.kind == Kind::Word(Word::StartOrEnd) {
            self.advance()?;
            self.expect(Kind::LeftParen, "in @", "`(`")?;
            return self.expect(Kind::RightParen, "in @", "`)`");
        }
        if matches!(self.tok.kind, Kind::Add | Kind::Sub) {
            self.advance()?;
        }
        match self.tok.kind {
            Kind::Number | Kind::Duration => self.advance(),
            _ => Err(self.unexpected("in @", "timestamp")),
        }
    }
}
