//! The recogniser: which parts of a text are selectors, in one pass and without recursion.
//!
//! It accepts what any supported release of Prometheus parses, and some of what their type checks
//! refuse: such a query is confined like any other, and the upstream says what is wrong with it.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "each place names the tokens that it takes: every other one is refused"
)]

mod call;
mod duration;
mod operator;
mod selector;

use super::OnConflict;
use super::function::Functions;
use super::guards::Guards;
use super::lex::{Kind, Lexer, Token, Word};
use super::refusal::{Fault, Limit, Reason};
use crate::scope::Scope;

use call::Frame;

/// What the recogniser holds a text against.
#[derive(Clone, Copy)]
pub(super) struct Rules<'a> {
    pub(super) functions: &'a Functions,
    pub(super) guards: &'a Guards,
    pub(super) on_conflict: OnConflict,
    pub(super) scope: &'a Scope,
    /// Whether the text is one selector, as in `match[]`, instead of an expression.
    pub(super) selector_only: bool,
    /// Whether the text is a confined one: then each selector must begin with the scope's text.
    pub(super) confined: bool,
}

/// One selector: where its matchers go, and how many it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Selector {
    /// Where the enforced matchers are inserted.
    pub(super) insert: usize,
    /// What stands there.
    pub(super) form: Form,
    /// The number of matchers that stay.
    pub(super) kept: usize,
}

/// What stands where matchers are inserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A name without braces.
    Bare,
    /// The inside of braces in which no matcher stays.
    Empty,
    /// The inside of braces before a matcher that stays, or after which a comma follows.
    Matchers,
}

/// What was found in a text; reused from query to query.
#[derive(Debug, Default)]
pub(super) struct Outline {
    pub(super) selectors: Vec<Selector>,
    /// The parts to leave out, in order.
    pub(super) cuts: Vec<(usize, usize)>,
    /// The text's shape, written while a confined text is recognised.
    pub(super) shape: String,
    frames: Vec<Frame>,
}

impl Outline {
    fn clear(&mut self) {
        self.selectors.clear();
        self.cuts.clear();
        self.shape.clear();
        self.frames.clear();
    }

    /// Gives memory back above `most` bytes in each list.
    pub(super) fn trim(&mut self, most: usize) {
        self.clear();
        self.selectors.shrink_to(most / size_of::<Selector>());
        self.cuts.shrink_to(most / size_of::<(usize, usize)>());
        self.shape.shrink_to(most);
    }
}

/// Recognises a text.
pub(super) fn recognise(text: &str, rules: Rules<'_>, out: &mut Outline) -> Result<(), Fault> {
    out.clear();
    let mut lexer = Lexer::new(text);
    let tok = lexer.next_token()?;
    let mut recogniser = Recogniser {
        text,
        lexer,
        tok,
        rules,
        out,
        tokens: 0,
        operators: 0,
        depth: 0,
    };
    if rules.selector_only {
        recogniser.only_selector()
    } else {
        recogniser.expression()
    }
}

struct Recogniser<'a> {
    text: &'a str,
    lexer: Lexer<'a>,
    /// The token to look at next.
    tok: Token,
    rules: Rules<'a>,
    out: &'a mut Outline,
    tokens: usize,
    operators: usize,
    depth: usize,
}

impl Recogniser<'_> {
    fn expression(&mut self) -> Result<(), Fault> {
        if self.tok.kind == Kind::End {
            return Err(Fault::syntax(0, "no expression found in input".to_owned()));
        }
        loop {
            if self.operand()? {
                continue;
            }
            // After an operand: what binds to it, then an operator, a comma, or the end of a group.
            loop {
                self.postfixes()?;
                match self.tok.kind {
                    Kind::RightParen => self.close()?,
                    Kind::Comma => {
                        self.next_argument()?;
                        break;
                    }
                    Kind::End => return self.end(),
                    _ => {
                        self.operator()?;
                        break;
                    }
                }
            }
        }
    }

    fn only_selector(&mut self) -> Result<(), Fault> {
        match self.tok.kind {
            Kind::Word(word) if word.names_a_metric() => {
                let name = self.tok;
                self.advance()?;
                self.selector(Some(name))?;
            }
            Kind::LeftBrace => self.selector(None)?,
            _ => return Err(self.unexpected("in metric selector", "a selector")),
        }
        match self.tok.kind {
            Kind::End => Ok(()),
            _ => Err(self.unexpected("after metric selector", "the end of input")),
        }
    }

    /// Reads the beginning of an operand; true if it opened a group, and its content comes next.
    fn operand(&mut self) -> Result<bool, Fault> {
        while matches!(self.tok.kind, Kind::Add | Kind::Sub) {
            self.count_operator()?;
            self.advance()?;
        }
        let tok = self.tok;
        match tok.kind {
            Kind::Number | Kind::Duration | Kind::Text => {
                self.advance()?;
                self.emit("vector(1)");
                Ok(false)
            }
            Kind::LeftParen => {
                self.advance()?;
                self.emit("(");
                self.open(Frame::Paren)?;
                Ok(true)
            }
            Kind::LeftBrace => {
                self.selector(None)?;
                Ok(false)
            }
            Kind::Word(word) => {
                self.advance()?;
                self.word(tok, word)
            }
            _ => Err(self.unexpected("", "an operand")),
        }
    }

    /// Reads what a word in the place of an operand begins: an aggregation, a call or a selector.
    fn word(&mut self, tok: Token, word: Word) -> Result<bool, Fault> {
        let aggregation = match word {
            Word::Aggregation => Some(false),
            Word::AggregationWithParameter => Some(true),
            _ => None,
        };
        match (aggregation, self.tok.kind) {
            (Some(parameter), Kind::LeftParen | Kind::Word(Word::Grouping)) => {
                self.aggregation(tok, parameter)?;
                Ok(true)
            }
            (None, Kind::LeftParen) => self.call(tok, word),
            _ if word.names_a_metric() => {
                self.selector(Some(tok))?;
                Ok(false)
            }
            _ => Err(self.unexpected_token(tok, "", "an operand")),
        }
    }

    fn end(&self) -> Result<(), Fault> {
        if self.out.frames.is_empty() {
            Ok(())
        } else {
            Err(Fault::syntax(
                self.tok.start,
                "unclosed left parenthesis".to_owned(),
            ))
        }
    }

    fn advance(&mut self) -> Result<(), Fault> {
        self.tok = self.lexer.next_token()?;
        self.tokens += 1;
        if self.rules.confined {
            return Ok(());
        }
        let most = self.rules.guards.max_tokens.get();
        self.bound(self.tokens, most, "too many tokens", "max_tokens")
    }

    fn expect(&mut self, kind: Kind, whereabouts: &str, expected: &str) -> Result<(), Fault> {
        if self.tok.kind == kind {
            self.advance()
        } else {
            Err(self.unexpected(whereabouts, expected))
        }
    }

    fn span(&self, tok: Token) -> &str {
        self.text.get(tok.start..tok.end).unwrap_or_default()
    }

    /// Adds to the shape, which only the second pass needs. Calls and aggregations become calls of
    /// one function, and commas and operators one operator that binds to the right: of these the
    /// second parser makes a tree in linear time.
    fn emit(&mut self, text: &str) {
        if self.rules.confined {
            self.out.shape.push_str(text);
        }
    }

    fn count_operator(&mut self) -> Result<(), Fault> {
        self.operators += 1;
        let most = self.rules.guards.operators();
        self.bound(self.operators, most, "too many operators", "max_operators")
    }

    fn bound(
        &self,
        count: usize,
        most: usize,
        what: &'static str,
        option: &'static str,
    ) -> Result<(), Fault> {
        if count <= most {
            return Ok(());
        }
        Err(Fault::at(
            self.tok.start,
            Reason::Limit(Limit { what, option, most }),
        ))
    }

    fn unexpected(&self, whereabouts: &str, expected: &str) -> Fault {
        self.unexpected_token(self.tok, whereabouts, expected)
    }

    fn unexpected_token(&self, tok: Token, whereabouts: &str, expected: &str) -> Fault {
        let what = match tok.kind {
            Kind::End => "end of input".to_owned(),
            _ => {
                let shown: String = self.span(tok).chars().take(40).collect();
                format!("`{shown}`")
            }
        };
        let gap = if whereabouts.is_empty() { "" } else { " " };
        Fault::syntax(
            tok.start,
            format!("unexpected {what}{gap}{whereabouts}, expected {expected}"),
        )
    }
}
