//! Tokens are in order, do not overlap and end; strings can be unquoted.
use promfence::promql::lex::{Kind, Lexer, unquote};

/// One run.
pub fn fuzz(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut lexer = Lexer::new(text);
    let mut last = 0;
    while let Ok(token) = lexer.next_token() {
        assert!(last <= token.start && token.start <= token.end);
        last = token.end;
        match token.kind {
            Kind::End => {
                assert_eq!(token.end, text.len());
                break;
            }
            Kind::Text => drop(unquote(&text[token.start..token.end])),
            _ => assert!(token.start < token.end),
        }
    }
}
