//! The small computations on shapes that exporters leave in a graph, such as flattening by the size of the batch:
//! with the batch fixed to one they are constants.

use super::{LowerError, constants::Constants, lower::attribute_ints};
use tract_onnx::pb;

/// Most elements of a list: no value has as many dimensions.
const MOST: usize = 64;

/// Computes a node on lists of integers; `shape` is that of its first input, where it is a value of the network.
/// Returns `None` where the node is none of these.
pub(super) fn fold(
    node: &pb::NodeProto,
    shape: Option<&[usize]>,
    constants: &Constants,
) -> Result<Option<Vec<i64>>, LowerError> {
    if node.op_type == "Shape" {
        let shape = shape.filter(|_| node.attribute.is_empty());
        return Ok(shape.map(|shape| shape.iter().map(|side| *side as i64).collect()));
    }
    let lists: Option<Vec<&Vec<i64>>> = node
        .input
        .iter()
        .map(|name| constants.integers.get(name))
        .collect();
    let Some(lists) = lists.filter(|lists| !lists.is_empty()) else {
        return Ok(None);
    };
    let wrong = || LowerError::Shape(node.name.clone());
    let integer = |name: &str| node.attribute.iter().find(|a| a.name == name).map(|a| a.i);
    let first = lists[0];
    let place = |index: i64, length: usize| {
        let index = if index < 0 {
            index.checked_add(length as i64)?
        } else {
            index
        };
        usize::try_from(index).ok()
    };
    let folded = match (node.op_type.as_str(), &lists[..]) {
        // Shapes of scalars and lists of one are not told apart: both hold one number.
        ("Unsqueeze" | "Squeeze" | "Cast" | "Identity", _) => first.clone(),
        ("Concat", _) => lists
            .iter()
            .flat_map(|list| list.iter().copied())
            .take(MOST + 1)
            .collect(),
        ("Gather", [values, indices]) if integer("axis").unwrap_or(0) == 0 => {
            let value = |index: &i64| values.get(place(*index, values.len())?).copied();
            let values: Option<Vec<i64>> = indices.iter().map(value).collect();
            values.ok_or_else(wrong)?
        }
        ("Slice", [values, more @ ..]) => {
            let given = |at: usize, name: &str| {
                let constant = more.get(at).and_then(|list| list.first().copied());
                constant.or_else(|| attribute_ints(node, name)?.first().copied())
            };
            let (start, end) = (
                given(0, "starts").ok_or_else(wrong)?,
                given(1, "ends").ok_or_else(wrong)?,
            );
            if given(3, "steps").unwrap_or(1) != 1 {
                return Err(wrong());
            }
            let start = place(start, values.len()).ok_or_else(wrong)?;
            let end = place(end, values.len())
                .ok_or_else(wrong)?
                .min(values.len());
            values.get(start.min(end)..end).ok_or_else(wrong)?.to_vec()
        }
        ("Add" | "Sub" | "Mul" | "Div", [a, b]) if a.len() == b.len() => {
            let pair = |(a, b): (&i64, &i64)| match node.op_type.as_str() {
                "Add" => a.checked_add(*b),
                "Sub" => a.checked_sub(*b),
                "Mul" => a.checked_mul(*b),
                _ => a.checked_div(*b),
            };
            let values: Option<Vec<i64>> = a.iter().zip(b.iter()).map(pair).collect();
            values.ok_or_else(wrong)?
        }
        _ => return Ok(None),
    };
    match folded.len() {
        0..=MOST => Ok(Some(folded)),
        _ => Err(wrong()),
    }
}

/// The shape that a `Reshape` gives a value: 0 copies a dimension, -1 takes what is left.
pub(super) fn reshaped(shape: &[usize], wanted: &[i64]) -> Option<Vec<usize>> {
    let elements: usize = shape.iter().product();
    let side = |(index, side): (usize, &i64)| match side {
        0 => shape.get(index).copied(),
        -1 => Some(1),
        side => usize::try_from(*side).ok(),
    };
    let mut sides: Vec<usize> = wanted.iter().enumerate().map(side).collect::<Option<_>>()?;
    let product = sides
        .iter()
        .try_fold(1_usize, |product, side| product.checked_mul(*side))?;
    let mut open = wanted.iter().enumerate().filter(|(_, side)| **side == -1);
    if let Some((index, _)) = open.next() {
        if open.next().is_some() || product == 0 || elements % product != 0 {
            return None;
        }
        sides[index] = elements / product;
    }
    (sides.iter().product::<usize>() == elements).then_some(sides)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_dimensions_are_what_is_left() {
        assert_eq!(reshaped(&[1, 8, 2, 2], &[0, -1]), Some(vec![1, 32]));
        assert_eq!(reshaped(&[1, 8, 2, 2], &[-1, 32]), Some(vec![1, 32]));
        assert_eq!(reshaped(&[1, 8, 2, 2], &[1, 8, 4]), Some(vec![1, 8, 4]));
        assert_eq!(reshaped(&[1, 8], &[3, -1]), None);
        assert_eq!(reshaped(&[1, 8], &[-1, -1]), None);
        assert_eq!(reshaped(&[1, 8], &[1, 9]), None);
    }
}
