//! smpp-edge
