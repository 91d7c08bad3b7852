//! pgserver
