//! The paths of a drawing's edges, and the positions of their labels.
//!
//! The gap between two columns has two zones. In the first, edges bend to the height of their end;
//! in the second they are level, and their label is centred on them. Because the ends are apart, so
//! are the labels, and no edge crosses a label.

use std::fmt::Write;

use super::layout::{Item, Layout};

/// The length of the arrow tip beyond the end of its line.
const TIP: f64 = 3.0;

/// A rectangle of a [`Drawing`](super::Drawing), given by its centre, in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// Horizontal position of the centre, from the left.
    pub x: f64,
    /// Vertical position of the centre, from the top.
    pub y: f64,
    /// Width of the rectangle.
    pub width: f64,
    /// Height of the rectangle.
    pub height: f64,
}

pub(super) struct Routes {
    pub nodes: Vec<Area>,
    /// For each edge the data of an SVG path.
    pub paths: Vec<String>,
    /// For each edge the area of its label; the edge is level and passes through the centre.
    pub labels: Vec<Area>,
    pub width: f64,
    pub height: f64,
}

/// The paths of the edges. `widths` are the widths of the nodes, `labels` the sizes of the labels.
pub(super) fn route(
    layout: &Layout,
    widths: &[f64],
    edges: &[(usize, usize)],
    labels: &[(f64, f64)],
) -> Routes {
    let items = &layout.items;
    let columns = Columns::new(layout, widths, edges, labels);
    let mut paths = Vec::with_capacity(edges.len());
    let mut label_areas = Vec::with_capacity(edges.len());
    for ((path, &(start, end)), &(width, height)) in
        layout.paths.iter().zip(&ports(layout, edges)).zip(labels)
    {
        let first = &items[path[0]];
        let mut data = format!("M{:.1} {:.1}", columns.right(first), first.y + start);
        let mut from = (columns.right(first), first.y + start);
        for (step, &index) in path.iter().enumerate().skip(1) {
            let item = &items[index];
            let is_last = step + 1 == path.len();
            let y = item.y + if is_last { end } else { 0.0 };
            let bent = columns.bend_end[item.column];
            let middle = (from.0 + bent) / 2.0;
            let _ = write!(data, " C{middle:.1} {:.1} {middle:.1} {y:.1} {bent:.1} {y:.1}", from.1);
            let x = if is_last { columns.left[item.column] - TIP } else { columns.right(item) };
            let _ = write!(data, " H{x:.1}");
            from = (x, y);
        }
        paths.push(data);
        let column = items[path[path.len() - 1]].column;
        let x = (columns.bend_end[column] + columns.left[column]) / 2.0;
        label_areas.push(Area { x, y: from.1, width, height });
    }

    let nodes = items[..widths.len()]
        .iter()
        .map(|item| {
            let width = columns.width[item.column];
            Area { x: columns.left[item.column] + width / 2.0, y: item.y, width, height: item.height }
        })
        .collect();
    Routes {
        nodes,
        paths,
        labels: label_areas,
        width: columns.left.iter().zip(&columns.width).map(|(left, width)| left + width).fold(0.0, f64::max),
        height: items.iter().map(|item| item.y + item.height / 2.0).fold(0.0, f64::max),
    }
}

/// The columns of nodes, each with the gap on its left.
struct Columns {
    left: Vec<f64>,
    width: Vec<f64>,
    /// Where the edges reach the height of their end.
    bend_end: Vec<f64>,
}

impl Columns {
    fn new(layout: &Layout, widths: &[f64], edges: &[(usize, usize)], labels: &[(f64, f64)]) -> Self {
        const LEVEL: f64 = 26.0;
        let items = &layout.items;
        let count = items.iter().map(|item| item.column + 1).max().unwrap_or(0);
        let mut width = vec![0.0f64; count];
        for (node, item) in widths.iter().zip(items) {
            width[item.column] = width[item.column].max(*node);
        }
        let mut level = vec![LEVEL; count];
        for (&(_, to), label) in edges.iter().zip(labels) {
            let level = &mut level[items[to].column];
            *level = level.max(label.0 + LEVEL);
        }
        // A higher climb needs more room to bend.
        let mut bend = vec![0.0f64; count];
        for pair in layout.paths.iter().flat_map(|path| path.windows(2)) {
            let climb = (items[pair[0]].y - items[pair[1]].y).abs();
            let bend = &mut bend[items[pair[1]].column];
            *bend = bend.max((0.7 * climb).clamp(44.0, 130.0));
        }
        let (mut left, mut bend_end) = (vec![0.0; count], vec![0.0; count]);
        for column in 1..count {
            bend_end[column] = left[column - 1] + width[column - 1] + bend[column];
            left[column] = bend_end[column] + level[column];
        }
        Self { left, width, bend_end }
    }

    fn right(&self, item: &Item) -> f64 {
        self.left[item.column] + self.width[item.column]
    }
}

/// The heights at which each edge leaves its source and meets its target, relative to their
/// centres. The edges of a node are apart and in the order of their other ends, so that they do not
/// cross at the node and parallel edges stay distinct.
fn ports(layout: &Layout, edges: &[(usize, usize)]) -> Vec<(f64, f64)> {
    let Layout { items, paths } = layout;
    let mut ports = vec![(0.0, 0.0); edges.len()];
    let nodes = edges.iter().map(|edge| edge.1 + 1).max().unwrap_or(0);
    for node in 0..nodes {
        let mut incoming: Vec<usize> = (0..edges.len()).filter(|&edge| edges[edge].1 == node).collect();
        let source = |&edge: &usize| items[paths[edge][paths[edge].len() - 2]].y;
        incoming.sort_by(|a, b| source(a).total_cmp(&source(b)));
        for (place, &edge) in incoming.iter().enumerate() {
            ports[edge].1 = spread(place, incoming.len(), items[node].height);
        }
    }
    for node in 0..nodes {
        let mut outgoing: Vec<usize> = (0..edges.len()).filter(|&edge| edges[edge].0 == node).collect();
        let direct = |edge: usize| paths[edge].len() == 2;
        let target = |&edge: &usize| items[paths[edge][1]].y + if direct(edge) { ports[edge].1 } else { 0.0 };
        outgoing.sort_by(|a, b| target(a).total_cmp(&target(b)));
        // Edges that share their first way-point share their start.
        let mut places = vec![0; outgoing.len()];
        for at in 1..outgoing.len() {
            let (above, edge) = (outgoing[at - 1], outgoing[at]);
            places[at] = places[at - 1] + usize::from(direct(above) || paths[above][1] != paths[edge][1]);
        }
        for (&edge, &place) in outgoing.iter().zip(&places) {
            ports[edge].0 = spread(place, places[places.len() - 1] + 1, items[node].height);
        }
    }
    ports
}

/// The `place`-th of `count` points along the side of a node, from the top, relative to the centre.
fn spread(place: usize, count: usize, height: f64) -> f64 {
    let apart = (0.5 * height).min(0.75 * height / (count.max(2) - 1) as f64);
    (place as f64 - (count - 1) as f64 / 2.0) * apart
}

#[cfg(test)]
mod tests {
    use super::super::layout::layout;
    use super::*;

    fn overlap(a: &Area, b: &Area) -> bool {
        (a.x - b.x).abs() < (a.width + b.width) / 2.0 && (a.y - b.y).abs() < (a.height + b.height) / 2.0
    }

    #[test]
    fn in_a_dense_picture_no_label_overlaps_a_label_or_a_node() {
        // Every node of a column leads to two of the next, and some to the column after it.
        let nodes: Vec<(usize, f64)> = (0..24).map(|node| (node / 6, 68.0)).collect();
        let edges: Vec<(usize, usize)> = (6..24)
            .flat_map(|to| {
                let far = if to < 12 { to - 6 } else { to - 12 };
                [(far, to), (to / 6 * 6 - 6 + (to * 5 + 3) % 6, to)]
            })
            .collect();
        let routes = route(&layout(&nodes, &edges), &[80.0; 24], &edges, &vec![(60.0, 34.0); edges.len()]);
        for (place, label) in routes.labels.iter().enumerate() {
            assert!(routes.labels[..place].iter().all(|other| !overlap(label, other)), "{label:?}");
            assert!(routes.nodes.iter().all(|node| !overlap(label, node)), "{label:?}");
        }
    }

    #[test]
    fn parallel_edges_are_apart_at_both_ends() {
        let edges = [(0, 1), (0, 1)];
        let ports = ports(&layout(&[(0, 68.0), (1, 68.0)], &edges), &edges);
        assert!(
            (ports[0].0 - ports[1].0).abs() > 20.0 && (ports[0].1 - ports[1].1).abs() > 20.0,
            "{ports:?}"
        );
    }
}
