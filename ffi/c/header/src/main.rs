//! Writes `tokenward.h`.

fn main() -> Result<(), String> {
    let header = tokenward_c_header::render()?;
    std::fs::write(tokenward_c_header::committed(), header).map_err(|error| error.to_string())
}
