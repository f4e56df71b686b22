// Measures for how long each image was in front of the reader, and adds that as "seconds" to what its form sends: what was
// out of sight, or in a window that was, does not count. After an answer it begins anew.
const STEP = 250;

export default {
  template: "<span hidden></span>",
  data: () => ({ taken: {} }),
  created() {
    this.timer = setInterval(() => this.count(), STEP);
    this.listener = event => this.tell(event);
    window.addEventListener("formdata", this.listener);
  },
  unmounted() {
    clearInterval(this.timer);
    window.removeEventListener("formdata", this.listener);
  },
  methods: {
    count() {
      const articles = [...document.querySelectorAll("article[id]")];
      const ids = new Set(articles.map(article => article.id));
      for (const id of Object.keys(this.taken).filter(id => !ids.has(id))) {
        delete this.taken[id];  // forgotten: another image will be given its number
      }
      const article = document.hidden ? null : articles.find(article => article.checkVisibility());
      if (article) {
        this.taken[article.id] = (this.taken[article.id] ?? 0) + STEP / 1000;
      }
    },
    tell(event) {
      const id = event.target.matches("form.review") && event.target.closest("article[id]")?.id;
      if (id) {
        event.formData.set("seconds", this.taken[id] ?? 0);
        this.taken[id] = 0;
      }
    },
  },
};
