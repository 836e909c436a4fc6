//! An SVG around a raster image (V21).

imperal::extension! {
    app_id: "notes",
    name: "Notebook",
    description: "Keeps the notes of a team where everyone finds them.",
    icon: "icons/raster.svg",
    capabilities: ["notes:read"],
}

fn main() {}
