//! Where the selectors of a confined text are, found without the recogniser: from tokens alone, by
//! what stands before and after each.

use promfence::promql::lex::{Kind, Lexer, Token};

/// Words that join two operands.
const OPERATORS: &[&str] = &["and", "or", "unless", "atan2"];
/// Words that may be followed by a list of labels in parentheses.
const LISTS: &[&str] = &[
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
];
/// Words that come after an operand or an operator, and select nothing there.
const OTHERS: &[&str] = &["bool", "offset", "smoothed", "anchored"];

/// Asserts that every selector begins with the scope's text, and counts them.
pub fn confined(text: &str, scope: &str) -> usize {
    let tokens = tokens(text);
    let word = |t: &Token| text[t.start..t.end].to_ascii_lowercase();
    let is = |i: usize, kind: Kind| tokens.get(i).is_some_and(|t| t.kind == kind);
    let (mut found, mut i) = (0, 0);
    // Whether an operand is expected here.
    let mut operand = true;
    while let Some(token) = tokens.get(i) {
        match token.kind {
            Kind::LeftBrace => {
                let inside = &text[token.end..];
                assert!(inside.starts_with(scope), "{text}: at {}", token.start);
                found += 1;
                i = after(&tokens, i, Kind::RightBrace);
                operand = false;
                continue;
            }
            Kind::LeftBracket => {
                i = after(&tokens, i, Kind::RightBracket);
                operand = false;
                continue;
            }
            Kind::Word(_) => {
                let w = word(token);
                if is(i + 1, Kind::LeftBrace) && (operand || !LISTS.contains(&w.as_str())) {
                    // A name whose braces come next.
                } else if LISTS.contains(&w.as_str()) {
                    if is(i + 1, Kind::LeftParen) {
                        i = after(&tokens, i + 1, Kind::RightParen);
                        // `sum by (a) (..)`: what follows is the call's own parenthesis.
                        continue;
                    }
                    assert!(w.starts_with("group_"), "{text}: bare {w}");
                } else if is(i + 1, Kind::LeftParen) {
                    // A function, an aggregation, `start()`, `fill(0)`.
                } else if OPERATORS.contains(&w.as_str()) && !operand {
                    operand = true;
                    i += 1;
                    continue;
                } else {
                    let next = tokens.get(i + 1).map(&word);
                    let aggregates = next.is_some_and(|n| n == "by" || n == "without");
                    let other = OTHERS.contains(&w.as_str());
                    assert!(aggregates || other, "{text}: {w} is not confined");
                    i += 1;
                    continue;
                }
                operand = false;
            }
            Kind::Number | Kind::Duration | Kind::Text | Kind::RightParen => operand = false,
            _ => operand = true,
        }
        i += 1;
    }
    found
}

fn tokens(text: &str) -> Vec<Token> {
    let mut lexer = Lexer::new(text);
    let mut all = Vec::new();
    loop {
        let token = lexer
            .next_token()
            .unwrap_or_else(|_| panic!("no tokens: {text}"));
        if token.kind == Kind::End {
            return all;
        }
        all.push(token);
    }
}

/// The place after the next token of a kind.
fn after(tokens: &[Token], from: usize, kind: Kind) -> usize {
    let found = tokens.iter().skip(from).position(|t| t.kind == kind);
    from + found.expect("what is opened is closed") + 1
}
