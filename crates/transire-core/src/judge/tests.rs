//! One table of cases a comparison, a mismatch, an absence.
