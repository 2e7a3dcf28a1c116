//! What follows an operand: modifiers that bind to it, and binary operators with theirs.

use super::super::refusal::Fault;
use super::{Kind, Recogniser, Word};

impl Recogniser<'_> {
    /// Reads everything that binds to the operand before it.
    pub(super) fn postfixes(&mut self) -> Result<(), Fault> {
        loop {
            match self.tok.kind {
                Kind::LeftBracket => self.range()?,
                Kind::Word(Word::Offset) => {
                    self.advance()?;
                    self.offset()?;
                }
                Kind::At => {
                    self.advance()?;
                    self.at()?;
                }
                Kind::Word(Word::Smoothed | Word::Anchored) => self.advance()?,
                _ => return Ok(()),
            }
        }
    }

    /// Reads a binary operator and its modifiers.
    pub(super) fn operator(&mut self) -> Result<(), Fault> {
        match self.tok.kind {
            Kind::Add
            | Kind::Sub
            | Kind::Mul
            | Kind::Div
            | Kind::Mod
            | Kind::Pow
            | Kind::Equal
            | Kind::NotEqual
            | Kind::Less
            | Kind::LessEqual
            | Kind::TrimUpper
            | Kind::Greater
            | Kind::GreaterEqual
            | Kind::TrimLower
            | Kind::Word(Word::SetOperator | Word::Atan2) => self.count_operator()?,
            _ => return Err(self.unexpected("", "an operator or the end of input")),
        }
        self.emit(" ^ ");
        self.advance()?;
        if self.tok.kind == Kind::Word(Word::Bool) {
            self.advance()?;
        }
        if self.tok.kind == Kind::Word(Word::Matching) {
            self.advance()?;
            self.labels()?;
            if self.tok.kind == Kind::Word(Word::Group) {
                self.advance()?;
                if self.tok.kind == Kind::LeftParen {
                    self.labels()?;
                }
            }
        }
        self.fills()
    }

    /// Reads `fill(..)`, or `fill_left(..)` and `fill_right(..)` in either order.
    fn fills(&mut self) -> Result<(), Fault> {
        let (first, second) = match self.tok.kind {
            Kind::Word(Word::Fill) => (Word::Fill, None),
            Kind::Word(Word::FillLeft) => (Word::FillLeft, Some(Word::FillRight)),
            Kind::Word(Word::FillRight) => (Word::FillRight, Some(Word::FillLeft)),
            _ => return Ok(()),
        };
        self.fill(first)?;
        match second {
            Some(word) if self.tok.kind == Kind::Word(word) => self.fill(word),
            _ => Ok(()),
        }
    }

    fn fill(&mut self, word: Word) -> Result<(), Fault> {
        self.expect(Kind::Word(word), "in fill modifier", "`fill`")?;
        self.expect(Kind::LeftParen, "in fill modifier", "`(`")?;
        if matches!(self.tok.kind, Kind::Add | Kind::Sub) {
            self.advance()?;
        }
        match self.tok.kind {
            Kind::Number | Kind::Duration => self.advance()?,
            _ => return Err(self.unexpected("in fill modifier", "a number")),
        }
        self.expect(Kind::RightParen, "in fill modifier", "`)`")
    }
}
