//! The second check: another parser reads the shape of the confined text.
//!
//! The shape has the text's structure and none of its content: `promql-parser` never sees a name,
//! string, number or regular expression of a caller.

use promql_parser::label::MatchOp;
use promql_parser::parser::{self, Expr, VectorSelector};

/// Whether another parser finds exactly `selectors` selectors in a shape, each confined.
pub(super) fn agrees(shape: &str, selectors: usize) -> bool {
    let Ok(root) = parser::parse(shape) else {
        return false;
    };
    let mut found = 0;
    let mut open = vec![&root];
    while let Some(expr) = open.pop() {
        match expr {
            Expr::Aggregate(e) => {
                open.push(&e.expr);
                open.extend(e.param.as_deref());
            }
            Expr::Unary(e) => open.push(&e.expr),
            Expr::Binary(e) => {
                open.push(&e.lhs);
                open.push(&e.rhs);
            }
            Expr::Paren(e) => open.push(&e.expr),
            Expr::Subquery(e) => open.push(&e.expr),
            Expr::Call(e) => open.extend(e.args.args.iter().map(|arg| &**arg)),
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) => {}
            Expr::VectorSelector(s) if confined(s) => found += 1,
            Expr::MatrixSelector(m) if confined(&m.vs) => found += 1,
            Expr::VectorSelector(_) | Expr::MatrixSelector(_) | Expr::Extension(_) => return false,
        }
    }
    found == selectors
}

fn confined(selector: &VectorSelector) -> bool {
    selector.matchers.or_matchers.is_empty()
        && selector
            .matchers
            .matchers
            .first()
            .is_some_and(|m| m.op == MatchOp::Equal && m.name == "e" && m.value == "t")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_that_is_not_confined_is_found_wherever_it_is() {
        assert!(agrees(r#"sum(m{e="t"}) + abs(m{e="t",l="s"})"#, 2));
        for (shape, count) in [
            (r#"m{e="t"} + m{l="s",e="t"}"#, 2),
            (r#"m{e="t"} + m"#, 2),
            (r#"topk(scalar(m), m{e="t"})"#, 2),
            (r#"topk(scalar(m{e="t"}), m{e="t"})"#, 1),
            (r#"m{e="t"} m{e="t"}"#, 2),
            ("", 0),
        ] {
            assert!(!agrees(shape, count), "{shape}");
        }
    }
}
