'use strict';
(() => {
  // Until this has run, and where it may not, the page is plain tables and folded details.
  document.documentElement.classList.add('js');
  const MOST_ROWS = 100;
  const MOST_CHARACTERS = 20_000;
  const MOST_PAIRS = 4_000_000;
  const LEAST_SHARED = 0.3;
  const TOKEN = /[\p{L}\p{M}\p{N}_]+|\s+|[^]/gu;

  const all = (root, selector) => Array.from(root.querySelectorAll(selector));

  /* ---- Outputs side by side: mark the words that differ within what differs as a whole ---- */

  // Which words of each text are in their longest common subsequence.
  const shared = (old, now) => {
    const width = now.length + 1;
    const lengths = new Uint16Array((old.length + 1) * width);
    for (let i = old.length - 1; i >= 0; i--) {
      for (let j = now.length - 1; j >= 0; j--) {
        const here = i * width + j;
        lengths[here] = old[i] === now[j]
          ? lengths[here + width + 1] + 1
          : Math.max(lengths[here + width], lengths[here + 1]);
      }
    }
    const stays = [new Uint8Array(old.length), new Uint8Array(now.length)];
    for (let i = 0, j = 0; i < old.length && j < now.length;) {
      if (old[i] === now[j]) {
        stays[0][i++] = stays[1][j++] = 1;
      } else if (lengths[(i + 1) * width + j] >= lengths[i * width + j + 1]) {
        i++;
      } else {
        j++;
      }
    }
    return {stays, length: lengths[0]};
  };

  const remark = (mark, words, stays) => {
    const parts = [];
    for (let start = 0; start < words.length;) {
      let end = start;
      while (end < words.length && stays[end] === stays[start]) end++;
      const text = words.slice(start, end).join('');
      if (stays[start]) {
        parts.push(text);
      } else {
        const part = document.createElement(mark.tagName);
        part.textContent = text;
        parts.push(part);
      }
      start = end;
    }
    mark.replaceWith(...parts);
  };

  const refine = (pair) => {
    const gone = pair.querySelector('pre > del');
    const come = pair.querySelector('pre > ins');
    if (!gone || !come) return;
    if (gone.textContent.length + come.textContent.length > MOST_CHARACTERS) return;
    const old = gone.textContent.match(TOKEN) || [];
    const now = come.textContent.match(TOKEN) || [];
    if (old.length * now.length > MOST_PAIRS || Math.max(old.length, now.length) > 65_535) return;
    const found = shared(old, now);
    if (found.length < LEAST_SHARED * Math.min(old.length, now.length)) return;
    remark(gone, old, found.stays[0]);
    remark(come, now, found.stays[1]);
  };

  // What scrolls must be reached by the keyboard, and what does not must not.
  const reach = (root) => {
    for (const box of all(root, 'pre')) {
      if (box.scrollHeight > box.clientHeight + 1 || box.scrollWidth > box.clientWidth + 1) {
        box.tabIndex = 0;
        box.setAttribute('role', 'region');
        const label = box.previousElementSibling;
        box.setAttribute('aria-label', label ? label.textContent : 'Text');
      }
    }
  };

  /* ---- The table of examples ---- */

  class Examples {
    constructor(section) {
      this.section = section;
      this.table = section.querySelector('[data-table]');
      this.bodies = Array.from(this.table.tBodies);
      this.order = this.bodies;
      this.most = MOST_ROWS;
      this.isMoved = false;
      this.count = section.querySelector('[data-count]');
      this.none = section.querySelector('[data-none]');
      this.more = section.querySelector('[data-more]');
      this.search = section.querySelector('[data-search]');
      this.tag = section.querySelector('[data-tag]');
      this.buttons = all(section, '[data-kind]');
      this.kind = '';
      this.index = null;
      this.tags = null;
      this.makeOpeners();
      this.makeSorters();
      this.listen();
      this.update();
      section.querySelector('[data-controls]').hidden = false;
    }

    makeOpeners() {
      for (const body of this.bodies) {
        if (body.rows.length < 2) continue;
        const head = body.rows[0].cells[0];
        const button = document.createElement('button');
        button.type = 'button';
        button.className = 'opener';
        button.setAttribute('aria-expanded', 'false');
        button.append(...head.childNodes);
        head.append(button);
        body.classList.add('opens');
      }
      this.table.addEventListener('click', (event) => {
        const row = event.target.closest('tr');
        const body = row && row.parentElement;
        if (!body || !body.classList.contains('opens') || row !== body.rows[0]) return;
        const isSelecting = !event.target.closest('button') && String(getSelection());
        if (!isSelecting) this.toggle(body);
      });
    }

    toggle(body) {
      const isOpen = body.classList.toggle('is-open');
      const details = body.querySelector('details');
      body.querySelector('.opener').setAttribute('aria-expanded', String(isOpen));
      details.open = isOpen;
      if (!isOpen) return;
      if (!body.dataset.refined) {
        body.dataset.refined = '1';
        all(details, '.pair').forEach(refine);
      }
      reach(details);
    }

    makeSorters() {
      this.heads = all(this.table, 'th[data-sort]');
      this.heads.forEach((head, column) => {
        const button = document.createElement('button');
        button.type = 'button';
        button.append(...head.childNodes);
        head.append(button);
        button.addEventListener('click', () => this.sort(head, column));
      });
    }

    // Up, down, and back to the most telling first.
    sort(head, column) {
      const next = {ascending: 'descending', descending: null}[head.getAttribute('aria-sort')];
      const direction = next === undefined ? 'ascending' : next;
      for (const other of this.heads) other.removeAttribute('aria-sort');
      this.order = this.bodies;
      if (direction) {
        head.setAttribute('aria-sort', direction);
        this.order = this.ordered(column, head.dataset.sort, direction === 'ascending' ? 1 : -1);
      }
      this.isMoved = true;
      this.refilter();
    }

    ordered(column, kind, sign) {
      const cells = this.bodies.map((body) => [body.rows[0].cells[column].textContent, body]);
      if (kind === 'number') {
        const last = sign * Infinity;
        const keyed = cells.map(([text, body]) => [parseFloat(text), body]);
        // An example without a score is last, whichever way.
        const key = (value) => (Number.isNaN(value) ? last : value);
        keyed.sort(([a], [b]) => (key(a) === key(b) ? 0 : sign * (key(a) - key(b))));
        return keyed.map((pair) => pair[1]);
      }
      const words = new Intl.Collator(undefined, {numeric: true});
      cells.sort(([a], [b]) => sign * words.compare(a, b));
      return cells.map((pair) => pair[1]);
    }

    listen() {
      for (const button of this.buttons) {
        button.addEventListener('click', () => {
          this.kind = button.dataset.kind;
          this.refilter();
        });
      }
      if (this.tag) this.tag.addEventListener('change', () => this.refilter());
      this.search.addEventListener('input', () => this.refilter());
      this.more.addEventListener('click', () => {
        const next = this.order.filter((body) => body.hidden && this.matches(body))[0];
        this.most = Infinity;
        this.update();
        // The button is gone now, so the focus goes on where it was.
        if (next) (next.querySelector('.opener') || this.search).focus();
      });
    }

    texts(body) {
      this.index ||= new Map(this.bodies.map((each) => {
        const parts = [each.rows[0].cells[0].textContent];
        for (const box of each.getElementsByTagName('pre')) parts.push(box.textContent);
        return [each, parts.join('\n').toLowerCase()];
      }));
      return this.index.get(body);
    }

    tagged(body) {
      this.tags ||= new Map(this.bodies.map(
        (each) => [each, all(each.rows[0], '.tag').map((tag) => tag.textContent)],
      ));
      return this.tags.get(body);
    }

    matches(body) {
      const tag = this.tag ? this.tag.value : '';
      return (!this.kind || body.dataset.is.split(' ').includes(this.kind))
        && (!tag || this.tagged(body).includes(tag))
        && (!this.query || this.texts(body).includes(this.query));
    }

    refilter() {
      this.most = MOST_ROWS;
      this.update();
    }

    // Laying out thousands of rows takes long, so the first ones are shown until more are asked for.
    update() {
      this.query = this.search.value.trim().toLowerCase();
      const shown = [];
      let found = 0;
      for (const body of this.order) {
        const isFound = this.matches(body);
        found += isFound;
        const isHidden = !isFound || found > this.most;
        if (body.hidden !== isHidden) body.hidden = isHidden;
        if (!isHidden) shown.push(body);
      }
      // Where the hidden rows are does not matter, and moving them takes long.
      if (this.isMoved) this.table.append(...shown);
      for (const button of this.buttons) {
        button.setAttribute('aria-pressed', String(button.dataset.kind === this.kind));
      }
      this.tell(found);
    }

    tell(found) {
      const total = this.bodies.length;
      const shown = Math.min(found, this.most);
      const of = `${number(found)} of ${number(total)} examples`;
      let words = `${of} match, ${number(shown)} shown`;
      if (shown === found) words = `${of} shown`;
      if (shown === total) words = total === 1 ? '1 example' : `${number(total)} examples`;
      if (found === total && shown < total) words = `${number(shown)} of ${number(total)} examples shown`;
      this.count.textContent = words;
      this.none.hidden = found > 0;
      this.more.hidden = shown === found;
      this.more.textContent = `Show ${number(found - shown)} more`;
    }
  }

  const number = (value) => value.toLocaleString('en-US');

  /* ---- The page ---- */

  // A link to a folded part opens it.
  const follow = () => {
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (!target) return;
    for (let at = target; at; at = at.parentElement) {
      if (at.tagName === 'DETAILS') at.open = true;
    }
    target.scrollIntoView();
  };

  document.addEventListener('DOMContentLoaded', () => {
    all(document, '[data-examples]').forEach((section) => new Examples(section));
    follow();
  });
  addEventListener('hashchange', follow);
  addEventListener('beforeprint', () => {
    for (const details of all(document, 'details')) {
      if (!details.closest('.more')) details.open = true;
    }
  });
})();
