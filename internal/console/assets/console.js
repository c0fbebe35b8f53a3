// The secret of a one-time link stands in the fragment: browsers never send it.
// Move it into the form and out of the address bar.
const door = document.getElementById("door");
if (door && location.hash.length > 1) {
  door.elements.namedItem("secret").value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
}

// A dropped file is an uploaded file.
const drop = document.querySelector("form.drop");
if (drop) {
  const input = drop.querySelector("input[type=file]");
  drop.addEventListener("dragover", (e) => { e.preventDefault(); drop.classList.add("over"); });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (e) => {
    e.preventDefault();
    drop.classList.remove("over");
    if (e.dataTransfer && e.dataTransfer.files.length > 0) {
      input.files = e.dataTransfer.files;
      drop.requestSubmit();
    }
  });
}
