// The key stands behind the `#`: no server, log or preview has seen it. Take it out of the address, and send it once.

const key = location.hash.slice(1);
history.replaceState(null, "", location.pathname);
if (key) {
  document.querySelector("#key").value = key;
  document.querySelector("#enter").requestSubmit();
}
