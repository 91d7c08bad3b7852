//! smsc
