use rust_xlsxwriter::{ExcelDateTime, Format as Style, Workbook};

use super::*;

fn rows(grid: &Grid) -> Vec<(u32, Vec<String>)> {
    grid.rows.iter().map(|row| (row.number, row.cells.iter().map(Cell::shown).collect())).collect()
}

fn csv(bytes: &[u8]) -> Vec<(u32, Vec<String>)> {
    rows(&Grid::read(bytes, None, None).unwrap())
}

#[test]
fn csv_is_read_whatever_its_encoding_and_separator() {
    let utf16: Vec<u8> = "\u{feff}MCC\tPrice\r\n434\t0,05\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let files: [&[u8]; 8] = [
        b"MCC,Price\n434,\"0,05\"\n",
        b"MCC;Price\r\n434;0,05\r\n",
        b"MCC\tPrice\n434\t0,05",
        b"MCC|Price\r434|0,05\r",
        b"\xef\xbb\xbfMCC;Price\n434;0,05\n",
        b"sep=;\nMCC;Price\n434;0,05\n",
        b"\xef\xbb\xbf MCC ; Price \n\xc2\xa0434\xc2\xa0;0,05\n",
        &utf16,
    ];
    for file in files {
        let cells: Vec<Vec<String>> = csv(file).into_iter().map(|(_, cells)| cells).collect();
        let expected = [["MCC", "Price"], ["434", "0,05"]];
        assert_eq!(cells, expected, "{}", String::from_utf8_lossy(file));
    }
    // Windows-1252: a name with an accent, and a euro sign.
    assert_eq!(csv(b"C\xf4te d'Ivoire;\x80 0,05\n"), [(1, vec!["Côte d'Ivoire".to_owned(), "€ 0,05".to_owned()])]);
}

#[test]
fn rows_keep_the_numbers_that_an_editor_shows() {
    let text = b"\n\nA,B\n\n\"two\nlines\",2\n\n,\n3,4\n";
    let numbers: Vec<u32> = csv(text).into_iter().map(|(number, _)| number).collect();
    assert_eq!(numbers, [3, 5, 9]);
}

#[test]
fn workbooks_are_read_cell_by_cell() {
    let mut book = Workbook::new();
    book.add_worksheet().set_name("Notes").unwrap().write(0, 0, "see Rates").unwrap();
    let sheet = book.add_worksheet().set_name("Rates").unwrap();
    let day = Style::new().set_num_format("dd.mm.yyyy");
    sheet.write(2, 0, 434).unwrap();
    sheet.write(2, 1, "05").unwrap();
    sheet.write(2, 2, 0.0045).unwrap();
    sheet.write_with_format(2, 3, ExcelDateTime::from_ymd(2027, 1, 31).unwrap(), &day).unwrap();
    sheet.write(4, 2, 0.1 + 0.2).unwrap();
    let bytes = book.save_to_buffer().unwrap();
    let grid = Grid::read(&bytes, Some("rates"), None).unwrap();
    let expected = [(3, vec!["434", "05", "0.0045", "2027-01-31 00:00:00"]), (5, vec!["", "", "0.3"])];
    let expected: Vec<(u32, Vec<String>)> =
        expected.into_iter().map(|(row, cells)| (row, cells.into_iter().map(str::to_owned).collect())).collect();
    assert_eq!(rows(&grid), expected);
    assert_eq!(grid.format, Format::Xlsx);
    assert_eq!(Grid::read(&bytes, None, None).unwrap().rows.len(), 1, "the first sheet");
    let missing = Grid::read(&bytes, Some("Prices"), None).unwrap_err();
    assert_eq!(missing, Error::NoSuchSheet("Notes, Rates".to_owned()));
}

#[test]
fn every_bound_holds() {
    let long = "1\n".repeat(usize::try_from(ROWS_MAX).unwrap() + 1);
    let wide = ",".repeat(COLUMNS_MAX) + "x\n";
    let mut far = Workbook::new();
    far.add_worksheet().write(1_048_575, 16_383, "far").unwrap();
    let far = far.save_to_buffer().unwrap();
    let rows: [(&[u8], Error); 6] = [
        (&vec![b'a'; BYTES_MAX + 1], Error::TooLarge),
        (long.as_bytes(), Error::TooLong),
        (wide.as_bytes(), Error::TooWide(1)),
        (&far, Error::TooLong),
        (&bomb(), Error::Unpacked),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Error::OldExcel),
    ];
    for (bytes, expected) in rows {
        assert_eq!(Grid::read(bytes, None, None).unwrap_err(), expected);
    }
    for broken in [&b"PK\x03\x04 and no more"[..], b"\x00\x01\x02\x03", b"GIF89a\x00"] {
        assert!(matches!(Grid::read(broken, None, None), Err(Error::NotASheet(_))));
    }
}

/// A workbook whose single part is more zeros than may be unpacked.
fn bomb() -> Vec<u8> {
    use std::io::Write as _;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    zip.start_file("xl/worksheets/sheet1.xml", options).unwrap();
    let zeros = vec![b'0'; 1024 * 1024];
    for _ in 0..=UNPACKED_BYTES_MAX / (1024 * 1024) {
        zip.write_all(&zeros).unwrap();
    }
    let bytes = zip.finish().unwrap().into_inner();
    assert!(bytes.len() < BYTES_MAX, "it is small when packed");
    bytes
}
