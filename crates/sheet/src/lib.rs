//! Suppliers' rate sheets: bytes in, rates and faults out. No store, no clock.
//!
//! A sheet is read in two steps. [`Grid::read`] turns CSV or XLSX into rows of cells, whatever encoding, separator or
//! number format the supplier chose, within named bounds. [`parse`] then reads rates out of the rows by a saved
//! [`Mapping`]. Every row that is no rate is named, with its column and the reason; nothing is guessed about money.

mod csv;
mod date;
mod decimal;
mod fault;
mod grid;
mod header;
mod mapping;
mod network;
mod parse;
mod xlsx;

pub use fault::{Fault, Reason};
pub use grid::{BYTES_MAX, CELL_CHARS_MAX, COLUMNS_MAX, Cell, Error, Format, Grid, ROWS_MAX, Row, UNPACKED_BYTES_MAX};
pub use header::NoColumn;
pub use mapping::{Columns, Decimal, Mapping, MappingFault, PriceUnit, Rounding, Thousands};
pub use parse::{Known, Read, parse};
