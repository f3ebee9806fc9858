//! Killed while cards are renewed.

use emboss::fault::Point;

pub(crate) const POINTS: [Point; 1] = [Point::Renewing];
