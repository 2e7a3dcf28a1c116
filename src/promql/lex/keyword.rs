//! Words: names and keywords, with the names that a flag of Prometheus 3.16 allows without quotes.

use super::super::refusal::Fault;
use super::{Kind, Lexer, is_name_byte, is_space};

/// What a word outside braces is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// A plain name.
    Name,
    /// A name with a colon in it.
    MetricName,
    /// A name with letters beyond ASCII or dots, which only a flag of Prometheus 3.16 allows.
    WideName,
    /// `and`, `or`, `unless`
    SetOperator,
    /// `atan2`
    Atan2,
    /// An aggregation such as `sum`.
    Aggregation,
    /// An aggregation with a parameter such as `topk`.
    AggregationWithParameter,
    /// `offset`
    Offset,
    /// `smoothed`
    Smoothed,
    /// `anchored`
    Anchored,
    /// `by`, `without`
    Grouping,
    /// `on`, `ignoring`
    Matching,
    /// `group_left`, `group_right`
    Group,
    /// `fill`
    Fill,
    /// `fill_left`
    FillLeft,
    /// `fill_right`
    FillRight,
    /// `bool`
    Bool,
    /// `start`, `end`
    StartOrEnd,
    /// `step`, `range`
    StepOrRange,
    /// `min_of`, `max_of`; inside brackets also `min`, `max`, as releases around 3.9 wrote them
    MinOrMax,
}

impl Word {
    /// Whether a word may be a metric's name without quotes.
    #[must_use]
    pub fn names_a_metric(self) -> bool {
        match self {
            Self::Name
            | Self::MetricName
            | Self::WideName
            | Self::SetOperator
            | Self::Aggregation
            | Self::AggregationWithParameter
            | Self::Offset
            | Self::Smoothed
            | Self::Anchored
            | Self::Grouping
            | Self::Fill
            | Self::FillLeft
            | Self::FillRight
            | Self::StartOrEnd
            | Self::StepOrRange
            | Self::MinOrMax => true,
            Self::Atan2 | Self::Matching | Self::Group | Self::Bool => false,
        }
    }
}

/// Whether a word has a meaning of its own, so that no function can be called so.
#[must_use]
pub fn is_reserved(word: &str) -> bool {
    !matches!(
        keyword(word.as_bytes()),
        None | Some(Kind::Word(
            Word::StartOrEnd | Word::StepOrRange | Word::MinOrMax
        ))
    )
}

impl Lexer<'_> {
    /// Reads a name or keyword; its first byte has been seen.
    pub(super) fn word(&mut self) -> Result<Kind, Fault> {
        let start = self.pos;
        let (mut colon, mut wide) = (false, None);
        loop {
            self.accept_run(is_name_byte);
            match self.peek() {
                Some(b':') => {
                    colon = true;
                    self.pos += 1;
                }
                Some(b'.') if self.pos > start => {
                    wide.get_or_insert(self.pos);
                    self.pos += 1;
                }
                Some(0x80..) if self.letter_len() > 0 => {
                    wide.get_or_insert(self.pos);
                    self.pos += self.letter_len();
                }
                _ => break,
            }
        }
        if let Some(end) = wide {
            let head = self.text.as_bytes().get(start..end).unwrap_or_default();
            // `a == bool.5` is a comparison with a number, or with the metric `bool.5`.
            return match keyword(head) {
                Some(_) => Err(Fault::syntax(
                    start,
                    "a keyword is followed by a dot or letter without a space, which releases read differently".to_owned(),
                )),
                None => Ok(Kind::Word(Word::WideName)),
            };
        }
        if colon {
            return Ok(Kind::Word(Word::MetricName));
        }
        Ok(match keyword(self.span(start).as_bytes()) {
            Some(Kind::Word(Word::Fill | Word::FillLeft | Word::FillRight))
                if !self.before_paren() =>
            {
                Kind::Word(Word::Name)
            }
            Some(kind) => kind,
            None => Kind::Word(Word::Name),
        })
    }

    /// Reads a label's name inside braces.
    pub(super) fn label(&mut self) -> Kind {
        loop {
            self.accept_run(|b| is_name_byte(b) || b == b'.');
            match self.letter_len() {
                0 => return Kind::Label,
                len => self.pos += len,
            }
        }
    }

    /// Reads a word of a duration expression.
    pub(super) fn bracket_word(&mut self) -> Result<Kind, Fault> {
        let start = self.pos;
        self.accept_run(|b| b.is_ascii_alphabetic() || b == b'_');
        let word = self.span(start);
        let known = |list: &[&str]| list.iter().any(|k| word.eq_ignore_ascii_case(k));
        if known(&["step", "range"]) {
            Ok(Kind::Word(Word::StepOrRange))
        } else if known(&["min_of", "max_of", "min", "max"]) {
            Ok(Kind::Word(Word::MinOrMax))
        } else {
            self.pos = start;
            Err(self.unexpected("in duration expression", 0))
        }
    }

    /// The length of the letter beyond ASCII at the current place, or 0.
    pub(super) fn letter_len(&self) -> usize {
        match self.peek() {
            Some(0x80..) => self
                .text
                .get(self.pos..)
                .and_then(|rest| rest.chars().next())
                .filter(|c| c.is_alphabetic())
                .map_or(0, char::len_utf8),
            _ => 0,
        }
    }

    /// Whether the next byte that is no space is `(`; a comment counts as something else.
    fn before_paren(&self) -> bool {
        let rest = self.text.as_bytes().get(self.pos..).unwrap_or_default();
        rest.iter().find(|b| !is_space(**b)) == Some(&b'(')
    }
}

/// The keyword that a word is, in any case.
fn keyword(word: &[u8]) -> Option<Kind> {
    let mut lower = [0; 12];
    for (to, from) in lower.get_mut(..word.len())?.iter_mut().zip(word) {
        *to = from.to_ascii_lowercase();
    }
    Some(Kind::Word(match lower.get(..word.len())? {
        b"and" | b"or" | b"unless" => Word::SetOperator,
        b"atan2" => Word::Atan2,
        b"sum" | b"avg" | b"count" | b"min" | b"max" | b"group" | b"stddev" | b"stdvar" => {
            Word::Aggregation
        }
        b"topk" | b"bottomk" | b"count_values" | b"quantile" | b"limitk" | b"limit_ratio" => {
            Word::AggregationWithParameter
        }
        b"offset" => Word::Offset,
        b"smoothed" => Word::Smoothed,
        b"anchored" => Word::Anchored,
        b"by" | b"without" => Word::Grouping,
        b"on" | b"ignoring" => Word::Matching,
        b"group_left" | b"group_right" => Word::Group,
        b"fill" => Word::Fill,
        b"fill_left" => Word::FillLeft,
        b"fill_right" => Word::FillRight,
        b"bool" => Word::Bool,
        b"start" | b"end" => Word::StartOrEnd,
        b"step" | b"range" => Word::StepOrRange,
        b"max_of" | b"min_of" => Word::MinOrMax,
        b"inf" | b"nan" => return Some(Kind::Number),
        _ => return None,
    }))
}
