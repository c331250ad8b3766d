//! Many questions at once: how large the chance of a figure counts among others.

/// Holm's correction: the smallest chance counts as many times as there are chances, the next one
/// time less, and so on; none counts less than a smaller one. In the order of `chances`.
#[must_use]
pub fn corrected(chances: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..chances.len()).collect();
    order.sort_by(|&first, &second| chances[first].total_cmp(&chances[second]));
    let mut corrected = vec![0.0; chances.len()];
    let mut least = 0.0_f64;
    for (position, &place) in order.iter().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "a few dozen figures")]
        let times = (chances.len() - position) as f64;
        least = least.max((chances[place] * times).min(1.0));
        corrected[place] = least;
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_chance_is_multiplied_most_and_the_order_is_kept() {
        // By hand: .01 * 4, .03 * 3 = .09, .04 * 2 = .08 but no less than .09, .5 * 1.
        let chances = corrected(&[0.04, 0.01, 0.5, 0.03]);
        for (chance, expected) in chances.iter().zip([0.09, 0.04, 0.5, 0.09]) {
            assert!((chance - expected).abs() < 1e-12, "{chances:?}");
        }
        assert!(corrected(&[]).is_empty());
        assert_eq!(corrected(&[0.9, 0.8]), [1.0, 1.0]);
    }
}
