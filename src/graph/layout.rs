//! The positions of a drawing's nodes: columns from left to right, few crossings, straight edges.
//!
//! The method of Sugiyama, Tagawa and Toda ("Methods for visual understanding of hierarchical
//! system structures", 1981): nodes in columns by their longest path, a way-point in each column
//! that an edge passes, an order within columns by barycentres, then heights as close to those of
//! the neighbours as the order allows.

use std::collections::HashMap;

/// The gap between two neighbours in a column.
const ROOM: f64 = 26.0;

/// A node or a way-point.
pub(super) struct Item {
    pub column: usize,
    pub height: f64,
    /// The centre.
    pub y: f64,
    is_node: bool,
    left: Vec<usize>,
    right: Vec<usize>,
}

impl Item {
    fn new(column: usize, height: f64, is_node: bool) -> Self {
        Self { column, height, y: 0.0, is_node, left: Vec::new(), right: Vec::new() }
    }
}

pub(super) struct Layout {
    /// The nodes in their own order, then the way-points.
    pub items: Vec<Item>,
    /// For each edge the items from its source to its target.
    pub paths: Vec<Vec<usize>>,
}

/// Positions nodes of the given columns and heights; each edge leads to a column further right.
pub(super) fn layout(nodes: &[(usize, f64)], edges: &[(usize, usize)]) -> Layout {
    let mut items: Vec<Item> =
        nodes.iter().map(|&(column, height)| Item::new(column, height, true)).collect();
    let paths = way_points(&mut items, edges);
    let columns = order(&items);
    place(&mut items, &columns);
    Layout { items, paths }
}

/// Edges from one source share their way-points, except parallel edges, which must stay distinct.
fn way_points(items: &mut Vec<Item>, edges: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let mut seen: HashMap<(usize, usize), usize> = HashMap::new();
    let mut chains: HashMap<(usize, usize), Vec<usize>> = HashMap::new();
    let mut paths = Vec::with_capacity(edges.len());
    for &(from, to) in edges {
        let parallel = seen.entry((from, to)).or_insert(0);
        let chain = chains.entry((from, *parallel)).or_insert_with(|| vec![from]);
        *parallel += 1;
        let steps = items[to].column - items[from].column;
        while chain.len() < steps {
            let (last, new) = (chain[chain.len() - 1], items.len());
            items.push(Item { left: vec![last], ..Item::new(items[last].column + 1, 0.0, false) });
            items[last].right.push(new);
            chain.push(new);
        }
        let mut path = chain[..steps].to_vec();
        let last = path[steps - 1];
        items[last].right.push(to);
        items[to].left.push(last);
        path.push(to);
        paths.push(path);
    }
    paths
}

/// The items of each column from top to bottom: the best of several sweeps. Each sweep orders the
/// columns by the mean position of an item's neighbours on the left, or on the way back on the
/// right.
fn order(items: &[Item]) -> Vec<Vec<usize>> {
    const SWEEPS: usize = 24;
    let count = items.iter().map(|item| item.column + 1).max().unwrap_or(0);
    let mut columns = vec![Vec::new(); count];
    for (index, item) in items.iter().enumerate() {
        columns[item.column].push(index);
    }
    let mut position = vec![0.0; items.len()];
    for column in &columns {
        number(column, &mut position);
    }
    let mut best = (usize::MAX, Vec::new());
    for sweep in 0..=SWEEPS {
        let found = crossings(items, &columns, &position);
        if found < best.0 {
            best = (found, columns.clone());
        }
        let forward = sweep % 2 == 0;
        for step in 0..count {
            let column = &mut columns[if forward { step } else { count - 1 - step }];
            let key = |index: &usize| {
                let neighbours = if forward { &items[*index].left } else { &items[*index].right };
                mean(neighbours.iter().map(|&n| (position[n], 1.0))).unwrap_or(position[*index])
            };
            column.sort_by(|a, b| key(a).total_cmp(&key(b)));
            number(column, &mut position);
            swap_neighbours(items, column, &mut position);
        }
    }
    best.1
}

/// Swaps adjacent items of a column while that removes crossings.
fn swap_neighbours(items: &[Item], column: &mut [usize], position: &mut [f64]) {
    for _ in 0..column.len() {
        let mut improved = false;
        for place in 1..column.len() {
            let (above, below) = (column[place - 1], column[place]);
            let crossings = |above: usize, below: usize| {
                inversions(&items[above].left, &items[below].left, position)
                    + inversions(&items[above].right, &items[below].right, position)
            };
            if crossings(below, above) < crossings(above, below) {
                column.swap(place - 1, place);
                position.swap(above, below);
                improved = true;
            }
        }
        if !improved {
            break;
        }
    }
}

/// The number of crossings between the edges of two items, the first above the second, that lead to
/// the neighbours `above` and `below`.
fn inversions(above: &[usize], below: &[usize], position: &[f64]) -> usize {
    above.iter().map(|&a| below.iter().filter(|&&b| position[a] > position[b]).count()).sum()
}

fn crossings(items: &[Item], columns: &[Vec<usize>], position: &[f64]) -> usize {
    let right = |index: usize| &items[index].right[..];
    let below = |column: &[usize], above: usize| -> usize {
        column[above + 1..]
            .iter()
            .map(|&below| inversions(right(column[above]), right(below), position))
            .sum()
    };
    columns.iter().flat_map(|column| (0..column.len()).map(move |above| below(column, above))).sum()
}

fn number(column: &[usize], position: &mut [f64]) {
    for (place, &index) in column.iter().enumerate() {
        position[index] = place as f64;
    }
}

/// Moves each item repeatedly as near as possible to the mean height of its neighbours.
fn place(items: &mut [Item], columns: &[Vec<usize>]) {
    const SWEEPS: usize = 301;
    for column in columns {
        set_heights(items, column, &vec![0.0; column.len()]);
    }
    for sweep in 0..SWEEPS {
        for step in 0..columns.len() {
            let column = &columns[if sweep % 2 == 0 { step } else { columns.len() - 1 - step }];
            let wanted: Vec<f64> = column
                .iter()
                .map(|&index| {
                    let item = &items[index];
                    // The weights of Gansner et al., "A technique for drawing directed graphs",
                    // 1993: the longer an edge, the straighter it should be.
                    let weight =
                        |n: usize| [8.0, 2.0, 1.0][usize::from(items[n].is_node) + usize::from(item.is_node)];
                    let pull = |&n: &usize| (items[n].y, weight(n));
                    mean(item.left.iter().chain(&item.right).map(pull)).unwrap_or(item.y)
                })
                .collect();
            set_heights(items, column, &wanted);
        }
    }
    let top = items.iter().map(|item| item.y - item.height / 2.0).fold(f64::INFINITY, f64::min);
    for item in items {
        item.y -= top;
    }
}

/// The heights nearest to the wanted ones (least squares) that keep order and gaps: isotonic
/// regression by pooling adjacent violators.
fn set_heights(items: &mut [Item], column: &[usize], wanted: &[f64]) {
    let mut offset = 0.0;
    let mut offsets = Vec::with_capacity(column.len());
    // Blocks of adjacent items: the sum of their wanted heights, and their number.
    let mut blocks: Vec<(f64, usize)> = Vec::new();
    for (place, &index) in column.iter().enumerate() {
        if place > 0 {
            offset += (items[column[place - 1]].height + items[index].height) / 2.0 + ROOM;
        }
        offsets.push(offset);
        let mut block = (wanted[place] - offset, 1);
        while let Some(&(sum, count)) = blocks.last()
            && sum / count as f64 > block.0 / block.1 as f64
        {
            block = (block.0 + sum, block.1 + count);
            blocks.pop();
        }
        blocks.push(block);
    }
    let heights = blocks.iter().flat_map(|&(sum, count)| std::iter::repeat_n(sum / count as f64, count));
    for ((&index, offset), height) in column.iter().zip(offsets).zip(heights) {
        items[index].y = height + offset;
    }
}

fn mean(weighted: impl Iterator<Item = (f64, f64)>) -> Option<f64> {
    let (sum, weight) =
        weighted.fold((0.0, 0.0), |(sum, total), (x, weight)| (sum + x * weight, total + weight));
    (weight > 0.0).then(|| sum / weight)
}

#[cfg(test)]
mod tests {
    use super::{ROOM, crossings, layout, order};

    #[test]
    fn neighbours_keep_their_gap_and_a_crossing_is_removed() {
        // 0 and 1 lead to 3 and 2.
        let laid = layout(&[(0, 40.0), (0, 40.0), (1, 40.0), (1, 60.0)], &[(0, 3), (1, 2)]);
        let columns = order(&laid.items);
        let mut position = [0.0; 4];
        columns.iter().for_each(|column| super::number(column, &mut position));
        assert_eq!(crossings(&laid.items, &columns, &position), 0);
        for column in &columns {
            let gap = laid.items[column[1]].y - laid.items[column[0]].y;
            let sizes = (laid.items[column[0]].height + laid.items[column[1]].height) / 2.0;
            assert!(gap >= sizes + ROOM - 1e-9, "{gap}");
        }
    }

    #[test]
    fn a_long_edge_gets_a_way_point_in_each_column_it_passes() {
        let laid = layout(&[(0, 40.0), (1, 40.0), (2, 40.0), (3, 40.0)], &[(0, 1), (1, 2), (2, 3), (0, 3)]);
        assert_eq!(laid.paths[3].len(), 4);
        assert_eq!(laid.items.len(), 6);
        // It passes between the nodes, not through them.
        for way_point in &laid.items[4..] {
            let node = &laid.items[way_point.column];
            assert!((node.y - way_point.y).abs() > node.height / 2.0);
        }
    }
}
