//! The lexer: the same tokens, byte for byte, as Prometheus' own lexer gives.
//!
//! Where releases read one text differently, the text is refused here.

mod keyword;
mod number;
mod quoted;

use super::refusal::Fault;

pub use keyword::{Word, is_reserved};
pub use number::{duration_secs, number_value};
pub use quoted::unquote;

/// One token: what it is, and where it stands in the text (`start..end`, in bytes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// The first byte.
    pub start: usize,
    /// One after the last byte.
    pub end: usize,
}

/// The kinds of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The end of the text.
    End,
    /// A number, `inf` and `nan` among them.
    Number,
    /// A duration such as `5m`.
    Duration,
    /// A string in any of the three quotes.
    Text,
    /// A name or a keyword outside braces.
    Word(Word),
    /// A name inside braces, where no word is a keyword.
    Label,
    /// `(`
    LeftParen,
    /// `)`
    RightParen,
    /// `{`
    LeftBrace,
    /// `}`
    RightBrace,
    /// `[`
    LeftBracket,
    /// `]`
    RightBracket,
    /// `,`
    Comma,
    /// `:` inside brackets.
    Colon,
    /// `@`
    At,
    /// `=`
    Assign,
    /// `=~`
    Regex,
    /// `!~`
    NotRegex,
    /// `!=`
    NotEqual,
    /// `==`
    Equal,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `</`
    TrimUpper,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `>/`
    TrimLower,
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `%`
    Mod,
    /// `^`
    Pow,
}

/// Which rules hold at the lexer's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Outside braces and brackets.
    Statement,
    /// Between `{` and `}`.
    Braces,
    /// Between `[` and the first number after it, where no comment may stand.
    Brackets,
    /// Between the first number and `]`.
    BracketsAfterNumber,
}

/// Reads tokens from a text, one at a time.
#[derive(Clone, Debug)]
pub struct Lexer<'a> {
    text: &'a str,
    pos: usize,
    mode: Mode,
}

impl<'a> Lexer<'a> {
    /// A lexer at the start of a text.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            pos: 0,
            mode: Mode::Statement,
        }
    }

    /// Reads the next token; after the end, the end again.
    pub fn next_token(&mut self) -> Result<Token, Fault> {
        self.skip_blanks();
        let start = self.pos;
        let kind = match self.peek() {
            None => Kind::End,
            Some(first) => match self.mode {
                Mode::Statement => self.statement(first)?,
                Mode::Braces => self.inside_braces(first)?,
                Mode::Brackets | Mode::BracketsAfterNumber => self.inside_brackets(first)?,
            },
        };
        Ok(Token {
            kind,
            start,
            end: self.pos,
        })
    }

    fn statement(&mut self, first: u8) -> Result<Kind, Fault> {
        Ok(match first {
            b'0'..=b'9' => self.number_or_duration()?,
            b'.' if self.peek_at(1).is_some_and(|b| b.is_ascii_digit()) => {
                self.number_or_duration()?
            }
            b'"' | b'\'' | b'`' => self.quoted(first)?,
            b'A'..=b'Z' | b'a'..=b'z' | b'_' | b':' => self.word()?,
            b'(' => self.one(Kind::LeftParen),
            b')' => self.one(Kind::RightParen),
            b'{' => {
                self.mode = Mode::Braces;
                self.one(Kind::LeftBrace)
            }
            b'[' => {
                self.mode = Mode::Brackets;
                self.one(Kind::LeftBracket)
            }
            b',' => self.one(Kind::Comma),
            b'@' => self.one(Kind::At),
            b'=' => match self.peek_at(1) {
                Some(b'=') => self.two(Kind::Equal),
                Some(b'~') => return Err(self.unexpected("after `=` outside braces", 1)),
                _ => self.one(Kind::Assign),
            },
            b'!' => match self.peek_at(1) {
                Some(b'=') => self.two(Kind::NotEqual),
                _ => return Err(self.unexpected("after `!`", 1)),
            },
            b'<' => match self.peek_at(1) {
                Some(b'=') => self.two(Kind::LessEqual),
                Some(b'/') => self.two(Kind::TrimUpper),
                _ => self.one(Kind::Less),
            },
            b'>' => match self.peek_at(1) {
                Some(b'=') => self.two(Kind::GreaterEqual),
                Some(b'/') => self.two(Kind::TrimLower),
                _ => self.one(Kind::Greater),
            },
            0x80.. if self.letter_len() > 0 => self.word()?,
            _ => match arithmetic(first) {
                Some(kind) => self.one(kind),
                None => return Err(self.unexpected("", 0)),
            },
        })
    }

    fn inside_braces(&mut self, first: u8) -> Result<Kind, Fault> {
        Ok(match first {
            b'A'..=b'Z' | b'a'..=b'z' | b'_' => self.label(),
            b',' => self.one(Kind::Comma),
            b'"' | b'\'' | b'`' => self.quoted(first)?,
            b'=' => match self.peek_at(1) {
                Some(b'~') => self.two(Kind::Regex),
                _ => self.one(Kind::Assign),
            },
            b'!' => match self.peek_at(1) {
                Some(b'~') => self.two(Kind::NotRegex),
                Some(b'=') => self.two(Kind::NotEqual),
                _ => return Err(self.unexpected("after `!` inside braces", 1)),
            },
            b'}' => {
                self.mode = Mode::Statement;
                self.one(Kind::RightBrace)
            }
            0x80.. if self.letter_len() > 0 => self.label(),
            _ => return Err(self.unexpected("inside braces", 0)),
        })
    }

    fn inside_brackets(&mut self, first: u8) -> Result<Kind, Fault> {
        Ok(match first {
            b'0'..=b'9' => self.number_in_brackets()?,
            b'.' if self.peek_at(1).is_some_and(|b| b.is_ascii_digit()) => {
                self.number_in_brackets()?
            }
            b']' => {
                self.mode = Mode::Statement;
                self.one(Kind::RightBracket)
            }
            b':' => self.one(Kind::Colon),
            b'(' => self.one(Kind::LeftParen),
            b')' => self.one(Kind::RightParen),
            b',' => self.one(Kind::Comma),
            b'A'..=b'Z' | b'a'..=b'z' => self.bracket_word()?,
            _ => match arithmetic(first) {
                Some(kind) => self.one(kind),
                None => return Err(self.unexpected("in duration expression", 0)),
            },
        })
    }

    fn number_in_brackets(&mut self) -> Result<Kind, Fault> {
        self.mode = Mode::BracketsAfterNumber;
        self.number_or_duration()
    }

    fn one(&mut self, kind: Kind) -> Kind {
        self.pos += 1;
        kind
    }

    fn two(&mut self, kind: Kind) -> Kind {
        self.pos += 2;
        kind
    }

    fn peek(&self) -> Option<u8> {
        self.peek_at(0)
    }

    fn peek_at(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.pos + ahead).copied()
    }

    /// Takes one byte if it fits.
    fn accept(&mut self, fits: impl Fn(u8) -> bool) -> bool {
        let taken = self.peek().is_some_and(fits);
        self.pos += usize::from(taken);
        taken
    }

    /// Takes all bytes that fit.
    fn accept_run(&mut self, fits: impl Fn(u8) -> bool) {
        let rest = self.text.as_bytes().get(self.pos..).unwrap_or_default();
        self.pos += rest.iter().take_while(|b| fits(**b)).count();
    }

    /// Skips spaces, and comments where they may stand.
    fn skip_blanks(&mut self) {
        loop {
            self.accept_run(is_space);
            if self.mode == Mode::Brackets || self.peek() != Some(b'#') {
                return;
            }
            self.accept_run(|b| b != b'\n' && b != b'\r');
        }
    }

    fn span(&self, start: usize) -> &'a str {
        self.text.get(start..self.pos).unwrap_or_default()
    }

    fn unexpected(&self, whereabouts: &str, ahead: usize) -> Fault {
        let at = self.pos + ahead;
        let gap = if whereabouts.is_empty() { "" } else { " " };
        match self.text.get(at..).and_then(|rest| rest.chars().next()) {
            Some(c) => Fault::syntax(
                self.pos,
                format!("unexpected character{gap}{whereabouts}: {c:?}"),
            ),
            None => Fault::syntax(
                self.pos,
                format!("unexpected end of input{gap}{whereabouts}"),
            ),
        }
    }
}

fn arithmetic(b: u8) -> Option<Kind> {
    Some(match b {
        b'+' => Kind::Add,
        b'-' => Kind::Sub,
        b'*' => Kind::Mul,
        b'/' => Kind::Div,
        b'%' => Kind::Mod,
        b'^' => Kind::Pow,
        _ => return None,
    })
}

fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\n' | b'\r')
}

fn is_name_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

#[cfg(test)]
mod tests;
