//! Name and description are missing: said once.

imperal::extension! {
    app_id: "notes",
    icon: "icons/good.svg",
    capabilities: ["notes:read"],
}

fn main() {}
