//! The cardholder name as magnetic stripe and chip carry it (R98).
