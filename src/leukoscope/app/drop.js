// Takes smears by a file input, or dropped anywhere on the page, and sends them one after another as their bytes alone.
// File names stay in the browser unless the box is ticked; the rest of the page in this browser is told them by events,
// "smears-waiting" with the names of what is still to be read, and "smears-read" with a number and a name.
const NOT_READ = "leukoscope-not-read";

export default {
  template: `
    <div :class="['drop', { over }]">
      <div class="field">
        <label :for="id + '-files'">Choose smears, or drop them anywhere on this page</label>
        <input type="file" multiple accept="image/*,.tif,.tiff,.bmp" :id="id + '-files'" :aria-describedby="id + '-limits'"
          @change="take($event.target.files); $event.target.value = ''">
      </div>
      <label class="tick"><input type="checkbox" v-model="keepNames"> Keep file names too, in exports and reviews</label>
      <p class="soft" :id="id + '-limits'">Up to {{ maxImages }} {{ maxImages === 1 ? "image" : "images" }} in a session, each of at most {{ megabytes }} MB.
        They stay on this machine and are forgotten when the page is closed.</p>
      <p role="status" :class="{ working: current }">{{ status }}</p>
      <progress v-if="current" :value="done" :max="total" aria-label="Images read"></progress>
      <div role="alert"><template v-if="refused.length"><p>Not read:</p>
        <ul><li v-for="one in refused">{{ one }}</li></ul></template></div>
    </div>
  `,
  props: { url: String, nameHeader: String, maxImages: Number, maxBytes: Number },
  data: () => ({
    id: "drop", over: false, keepNames: false, queue: [], refused: [], current: "", status: "", done: 0, total: 0,
    ended: false,
  }),
  computed: {
    waiting() {
      return this.current ? [this.current, ...this.queue.map(file => file.name)] : [];
    },
    megabytes() {
      return (this.maxBytes / 1e6).toLocaleString("en", { maximumFractionDigits: 1 });
    },
  },
  watch: {
    waiting(names) {
      window.dispatchEvent(new CustomEvent("smears-waiting", { detail: names }));
    },
  },
  mounted() {
    // On the whole window: a file dropped beside a zone would replace the page, and the session with it.
    window.addEventListener("dragover", this.hover);
    window.addEventListener("dragleave", this.leave);
    window.addEventListener("drop", this.drop);
    window.addEventListener("pagehide", this.hand_on);
    this.refused = JSON.parse(sessionStorage.getItem(NOT_READ) ?? "[]");
    sessionStorage.removeItem(NOT_READ);
  },
  unmounted() {
    window.removeEventListener("dragover", this.hover);
    window.removeEventListener("dragleave", this.leave);
    window.removeEventListener("drop", this.drop);
    window.removeEventListener("pagehide", this.hand_on);
  },
  methods: {
    hover(event) {
      event.preventDefault();
      this.over = true;
    },
    leave(event) {
      this.over = Boolean(event.relatedTarget);
    },
    drop(event) {
      event.preventDefault();
      this.over = false;
      this.take(event.dataTransfer.files);
    },
    // When the server has lost the page, it is loaded anew by itself: what was not read is said there.
    hand_on() {
      const refused = [...this.refused, ...this.waiting.map(name => `${name}: the page was reloaded before it was read`)];
      if (this.waiting.length || this.ended) {
        sessionStorage.setItem(NOT_READ, JSON.stringify(refused));
      }
    },
    async take(files) {
      const chosen = [...files];
      if (!this.current) {
        [this.refused, this.done, this.total] = [[], 0, 0];
      }
      const room = this.maxImages - this.queue.length;
      if (chosen.length > room) {
        this.refused.push(`${chosen.length - room} of ${chosen.length} files: at most ${this.maxImages} at a time`);
      }
      const taken = chosen.slice(0, room);
      this.total += taken.length;
      this.queue.push(...taken);
      if (!this.current) {
        await this.work();
      }
    },
    async work() {
      let read = 0;
      for (let file; (file = this.queue.shift()); this.done += 1) {
        this.current = file.name;
        this.status = `Reading image ${this.done + 1} of ${this.total}`;
        const fault = await this.send(file);
        if (fault) {
          this.refused.push(`${file.name}: ${fault}`);
        } else {
          read += 1;
        }
      }
      this.current = "";
      this.status = `${read} read, ${this.total - read} not read`;
    },
    async send(file) {
      if (file.size > this.maxBytes) {
        return `too large: ${file.size.toLocaleString("en")} bytes; at most ${this.maxBytes.toLocaleString("en")} are allowed`;
      }
      try {
        const headers = { "Content-Type": "application/octet-stream" };
        if (this.keepNames) {
          headers[this.nameHeader] = encodeURIComponent(file.name.toWellFormed?.() ?? file.name.replace(/\p{Surrogate}/gu, "\ufffd"));
        }
        const answer = await fetch(this.url, { method: "POST", body: file, headers });
        this.ended ||= answer.status === 404;
        const said = await answer.text();
        if (!answer.ok) {
          return said;
        }
        const number = Number(said.match(/\d+/)[0]);
        window.dispatchEvent(new CustomEvent("smears-read", { detail: { number, name: file.name } }));
        return "";
      } catch {
        // If the file itself can still be read, it is the server that is gone.
        this.ended ||= await file.slice(0, 1).arrayBuffer().then(() => true, () => false);
        return "could not be sent: it is a folder, it was changed, or the server does not answer; if so, restart the "
          + "server and reload the page";
      }
    },
  },
};
