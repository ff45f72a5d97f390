// A small client of Jarvis: how a page talks over fetch, EventSource and WebSocket, and goes on with an
// answer after a lost connection or a reload. The page's origin has to be one of the server's ALLOWED_ORIGINS.

const JARVIS = new URLSearchParams(location.search).get("jarvis") ?? "http://127.0.0.1:8100";
const EVENTS = ["ack", "context", "delta", "tool", "notice", "resync", "chat_response", "error"];

// All it takes to go on with a turn, kept after each event; sessionStorage outlives a reload, not the tab.
let turn = JSON.parse(sessionStorage.getItem("turn")) ?? {};

// ---- The three ways to send a message

async function sendJson(message) {
  const response = await post({ message, conversation_id: turn.conversation_id });
  const { turn_id, conversation_id, content, status } = await response.json();
  keep({ turn_id, conversation_id, text: content, status });
}

async function sendForEvents(message) {
  const response = await post({ message, conversation_id: turn.conversation_id, stream: true });
  // The first event tells that the message is stored, and the turn's id. From there on the turn belongs to
  // the server: this response may go, and an EventSource, which reconnects by itself, reads on.
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let first = "";
  while (!first.includes("\n\n")) {
    const { value, done } = await reader.read();
    if (done) throw new Error("The stream ended before its first event.");
    first += value;
  }
  await reader.cancel();
  take("events", JSON.parse(first.match(/^data: ?(.*)$/m)[1]));
  followEvents();
}

async function sendOverWebSocket(content) {
  openSocket({ type: "chat_message", content, conversation_id: turn.conversation_id });
}

async function post(body) {
  const response = await fetch(`${JARVIS}/api/chat`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (response.ok) return response;
  const problem = await response.json(); // application/problem+json
  throw new Error(`${problem.detail} (${problem.code}, request ${response.headers.get("X-Request-ID")})`);
}

// ---- Reading a turn's events, from the start or from the last one seen

function followEvents() {
  const source = new EventSource(`${JARVIS}/api/chat/turns/${turn.turn_id}/events?after=${turn.seq}`);
  source.addEventListener("open", () => show("connection", "connected"));
  for (const type of EVENTS) {
    source.addEventListener(type, ({ data }) => {
      if (data !== undefined) {
        take("events", JSON.parse(data));
        if (!isRunning()) source.close();
      } else {
        // A lost connection is an `error` too, but without data. The browser comes back with Last-Event-ID,
        // unless the server refused.
        show("connection", source.readyState === EventSource.CLOSED ? "refused" : "lost");
      }
    });
  }
}

function openSocket(frame) {
  const socket = new WebSocket(`${JARVIS.replace(/^http/, "ws")}/ws`);
  socket.onopen = () => {
    show("connection", "connected");
    socket.send(JSON.stringify(frame));
  };
  socket.onmessage = ({ data }) => {
    take("websocket", JSON.parse(data));
    if (isRunning()) return;
    socket.onclose = null; // the next message may be on its way before this socket is closed
    socket.close();
  };
  socket.onclose = () => {
    show("connection", "lost");
    if (turn.turn_id) setTimeout(resume, 1000);
    else keep({ ...turn, status: "not sent" });
  };
}

function resume() {
  if (turn.way === "events") followEvents();
  else openSocket({ type: "resume", turn_id: turn.turn_id, last_seq: turn.seq });
}

function take(way, event) {
  const next = { ...turn, way, seq: event.seq };
  switch (event.type) {
    case "ack":
      Object.assign(next, { turn_id: event.turn_id, conversation_id: event.conversation_id });
      break;
    case "delta":
      next.text += event.text;
      break;
    case "resync": // replaces what was received
      next.text = event.text;
      break;
    case "chat_response": // `content` is the text received
      next.status = event.status;
      break;
    case "error": // before the message was stored it has no turn
      next.status = `${event.status ?? "refused"}: ${event.message}`;
      break;
  }
  keep(next);
  const line = document.createElement("li");
  line.textContent = `${event.seq ?? "-"} ${event.type}`;
  document.querySelector("#events").append(line);
}

// ---- The page

function isRunning() {
  return turn.status === "running";
}

function keep(next) {
  turn = next;
  sessionStorage.setItem("turn", JSON.stringify(turn));
  show("answer", turn.text ?? ""); // as text, never as HTML: messages come back as they were written
  show("status", turn.status ?? "");
}

function show(id, text) {
  document.querySelector(`#${id}`).textContent = text;
}

const SEND = { json: sendJson, events: sendForEvents, websocket: sendOverWebSocket };
document.querySelector("form").addEventListener("submit", async (submitted) => {
  submitted.preventDefault();
  const { message, way } = submitted.target.elements;
  document.querySelector("#events").replaceChildren();
  keep({ conversation_id: turn.conversation_id, text: "", status: "running" });
  try {
    await SEND[way.value](message.value);
  } catch (error) {
    keep({ ...turn, status: `not sent: ${error.message}` });
  }
});

if (isRunning() && !turn.turn_id) turn.status = "left"; // a JSON turn ends with the page that waits for it
keep(turn);
if (isRunning()) resume();
