// A UI tree with every kind of node that the page draws, in the reference SDK's wire format.

export const node = (type, props) => ({ type, props });
export const call = (fn, params = {}) => ({ action: "call", function: fn, params });

const badge = (label, color, more = {}) => node("Badge", { label, color, ...more });

export const tree = node("Stack", {
  direction: "v",
  gap: 3,
  children: [
    node("Header", { text: "Audit of example.com", level: 2, subtitle: "25 checks, 3 of them failed" }),
    node("Stats", {
      columns: 3,
      children: [
        node("Stat", { label: "Score", value: 87, trend: "+4", trend_direction: "up", color: "green" }),
        node("Stat", { label: "Load time", value: "1.8 s", color: "yellow", description: "on a slow phone" }),
        node("Stat", { label: "Errors", value: 3, color: "red" }),
      ],
    }),
    node("Alert", { title: "The certificate ends in 9 days", message: "Renew it before 4 December.", variant: "warn" }),
    node("Section", {
      title: "Pages",
      children: [
        node("DataTable", {
          columns: [
            { key: "path", label: "Path", sortable: true },
            { key: "score", label: "Score", sortable: true },
            { key: "state", label: "State", sortable: false },
          ],
          rows: [
            { path: "/", score: 91, state: badge("good", "green") },
            { path: "/prices", score: 54, state: badge("slow", "red", { dot: true }) },
            { path: "/about", score: 78, state: badge("fair", "yellow") },
          ],
        }),
      ],
    }),
    node("Divider", { label: "Details" }),
    node("Stack", {
      direction: "h",
      gap: 2,
      children: [
        badge("HTTP/2", "blue"),
        badge("cached", "purple"),
        node("Link", { label: "The full report", href: "https://example.com/report" }),
      ],
    }),
    node("Card", {
      title: "Domain",
      subtitle: "As registered",
      content: node("KeyValue", {
        items: [
          { key: "Owner", value: "Ada" },
          { key: "Ends", value: "2027-03-01" },
          { key: "Site", value: "https://example.com" },
        ],
      }),
      footer: node("Text", { content: "Checked this morning.", variant: "caption" }),
    }),
    node("List", {
      items: [
        node("ListItem", {
          id: "1",
          title: "Compress images",
          subtitle: "saves 1.2 MB",
          meta: "high",
          badge: badge("open", "yellow"),
          actions: [{ icon: "Check", on_click: call("list_drafts", { query: "images" }), confirm: "Mark it as done?" }],
        }),
        node("ListItem", {
          id: "2",
          title: "Remove unused styles",
          subtitle: "saves 80 kB",
          meta: "low",
          on_click: call("ping"),
        }),
      ],
    }),
    node("Progress", { value: 62, label: "Budget used", show_value: true, color: "yellow" }),
    node("Image", {
      src: "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==",
      alt: "A dot",
      caption: "One point",
    }),
    node("Timeline", {
      items: [
        { title: "Checked", time: "13 Aug, 20:39", color: "green", description: "All pages." },
        { title: "Asked", color: "gray" },
      ],
    }),
    node("Gauge", { level: 7, unit: "bar" }),
    node("Form", {
      action: "list_drafts",
      submit_label: "Find drafts",
      children: [
        node("Input", { label: "Words", param_name: "query", placeholder: "offer" }),
        node("Toggle", { label: "Done ones too", param_name: "done", value: true }),
      ],
    }),
    node("Stack", {
      direction: "h",
      children: [
        node("Button", { label: "Check again", variant: "primary", on_click: call("ping") }),
        node("Button", { label: "Delete the draft", variant: "danger", on_click: call("delete_draft", { id: 4 }) }),
        node("Button", { label: "Open panel", variant: "secondary", on_click: { action: "navigate", path: "/x" } }),
      ],
    }),
  ],
});
