//! Groups: parentheses, calls and aggregations.

use super::super::refusal::{Fault, Reason};
use super::{Kind, Recogniser, Token, Word};

/// An open group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// Parentheses.
    Paren,
    /// The arguments of a function.
    Call { more: bool },
    /// The arguments of `info`, whose second is a selector without a name.
    Info { second: bool },
    /// The arguments of an aggregation: how many it needs and has, and whether its labels are
    /// still to come.
    Aggregation {
        parameter: bool,
        args: u8,
        grouped: bool,
    },
}

impl Recogniser<'_> {
    pub(super) fn open(&mut self, frame: Frame) -> Result<(), Fault> {
        self.out.frames.push(frame);
        self.depth = self.out.frames.len();
        let most = self.rules.guards.depth();
        self.bound(self.depth, most, "nested too deeply", "max_depth")
    }

    /// Opens an aggregation; the token after its name is `(`, `by` or `without`.
    pub(super) fn aggregation(&mut self, _name: Token, parameter: bool) -> Result<(), Fault> {
        let grouped = self.tok.kind == Kind::Word(Word::Grouping);
        if grouped {
            self.advance()?;
            self.labels()?;
        }
        self.expect(Kind::LeftParen, "in aggregation", "`(`")?;
        if self.tok.kind == Kind::RightParen {
            return Err(Fault::syntax(
                self.tok.start,
                "no arguments for aggregate expression provided".to_owned(),
            ));
        }
        self.emit("abs(");
        self.open(Frame::Aggregation {
            parameter,
            args: 1,
            grouped,
        })
    }

    /// Opens a call, or reads it whole if it has no arguments; true if arguments follow.
    pub(super) fn call(&mut self, name: Token, word: Word) -> Result<bool, Fault> {
        let text = self.span(name);
        let callable = matches!(
            word,
            Word::Name | Word::StartOrEnd | Word::StepOrRange | Word::MinOrMax
        );
        // Keywords have any case: `-STEP()` may go on a duration that `offset` began, and reads
        // nothing wherever it stands.
        let known = self.rules.functions.allow(text)
            || (word != Word::Name && self.rules.functions.allow(&text.to_ascii_lowercase()));
        if !callable || !known {
            let shown: String = text.chars().take(40).collect();
            return Err(Fault::at(
                name.start,
                Reason::Function(format!("unknown function with name `{shown}`")),
            ));
        }
        let info = text == "info";
        self.advance()?;
        if self.tok.kind == Kind::RightParen {
            if info {
                return Err(info_refused(name.start));
            }
            self.advance()?;
            self.emit("vector(1)");
            return Ok(false);
        }
        self.emit("abs(");
        self.open(if info {
            Frame::Info { second: false }
        } else {
            Frame::Call { more: false }
        })?;
        Ok(true)
    }

    /// Goes on to the next argument; the token is a comma.
    pub(super) fn next_argument(&mut self) -> Result<(), Fault> {
        self.count_operator()?;
        let comma = self.tok;
        let text = match self.out.frames.last_mut() {
            Some(Frame::Call { more }) => {
                *more = true;
                " ^ "
            }
            Some(Frame::Info {
                second: second @ false,
            }) => {
                *second = true;
                self.advance()?;
                return self.info_selector();
            }
            Some(Frame::Aggregation {
                parameter: true,
                args: args @ 1,
                ..
            }) => {
                *args = 2;
                " ^ "
            }
            Some(Frame::Aggregation { .. }) => {
                return Err(Fault::syntax(
                    comma.start,
                    "wrong number of arguments for aggregate expression provided".to_owned(),
                ));
            }
            Some(Frame::Info { second: true } | Frame::Paren) | None => {
                return Err(self.unexpected("", "an operator or `)`"));
            }
        };
        self.emit(text);
        self.advance()?;
        match self.tok.kind {
            Kind::RightParen => Err(Fault::syntax(
                comma.start,
                "trailing commas not allowed in function call args".to_owned(),
            )),
            _ => Ok(()),
        }
    }

    /// Reads the second argument of `info`. The caller reads an operand next: the selector is left
    /// to it, after a look at what it is.
    fn info_selector(&mut self) -> Result<(), Fault> {
        self.emit(" ^ ");
        match self.tok.kind {
            Kind::LeftBrace => Ok(()),
            _ => Err(Fault::at(
                self.tok.start,
                Reason::Function("expected label selectors only in call to `info`".to_owned()),
            )),
        }
    }

    /// Whether the selector at hand is the second argument of `info`.
    pub(super) fn in_info(&self) -> bool {
        matches!(self.out.frames.last(), Some(Frame::Info { second: true }))
    }

    /// Closes a group; the token is `)`.
    pub(super) fn close(&mut self) -> Result<(), Fault> {
        let close = self.tok;
        match self.out.frames.pop() {
            None => {
                return Err(Fault::syntax(
                    close.start,
                    "unexpected right parenthesis".to_owned(),
                ));
            }
            Some(Frame::Info { second: false }) => return Err(info_refused(close.start)),
            Some(Frame::Aggregation {
                parameter: true,
                args: 1,
                ..
            }) => {
                return Err(Fault::syntax(
                    close.start,
                    "wrong number of arguments for aggregate expression provided, expected 2, got 1"
                        .to_owned(),
                ));
            }
            Some(Frame::Aggregation { grouped: false, .. }) => {
                self.advance()?;
                if self.tok.kind == Kind::Word(Word::Grouping) {
                    self.advance()?;
                    self.labels()?;
                }
            }
            Some(
                Frame::Paren
                | Frame::Call { .. }
                | Frame::Info { second: true }
                | Frame::Aggregation { grouped: true, .. },
            ) => self.advance()?,
        }
        self.emit(")");
        self.depth = self.out.frames.len();
        Ok(())
    }

    /// Reads a list of labels in parentheses.
    pub(super) fn labels(&mut self) -> Result<(), Fault> {
        self.expect(Kind::LeftParen, "in grouping opts", "`(`")?;
        loop {
            match self.tok.kind {
                Kind::RightParen => return self.advance(),
                Kind::Word(_) | Kind::Text => self.advance()?,
                _ => return Err(self.unexpected("in grouping opts", "a label or `)`")),
            }
            match self.tok.kind {
                Kind::RightParen => return self.advance(),
                Kind::Comma => self.advance()?,
                _ => return Err(self.unexpected("in grouping opts", "`,` or `)`")),
            }
        }
    }
}

fn info_refused(at: usize) -> Fault {
    Fault::at(
        at,
        Reason::Function(
            "`info` reads a metric of its own: give it a second argument with the labels to add"
                .to_owned(),
        ),
    )
}
