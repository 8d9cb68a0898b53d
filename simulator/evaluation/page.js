"use strict";
(() => {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  button.hidden = false;
  button.onclick = () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  };
  const open = () => {
    const found = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (found && found.tagName === "DETAILS") { found.open = true; found.scrollIntoView(); }
  };
  addEventListener("hashchange", open);
  open();

  const LEFT = 54, RIGHT = 10, WIDTH = 1000, INNER = WIDTH - LEFT - RIGHT, TOP = 8, BOTTOM = 22;
  const pad = (n) => String(n).padStart(2, "0");
  const clock = (s) => {
    const t = Math.round(s), h = Math.floor(t / 3600), m = Math.floor(t / 60) % 60;
    return h ? `${h}:${pad(m)}:${pad(t % 60)}` : `${m}:${pad(t % 60)}`;
  };
  const number = (v, unit) => {
    const text = unit === "%" ? v.toFixed(1) : Math.round(v).toString();
    return `${text.replace("-", "−")} ${unit}`;
  };

  for (const set of document.querySelectorAll(".charts")) {
    const charts = [...set.querySelectorAll("svg.chart")].map((svg) => ({
      svg, low: +svg.dataset.low, high: +svg.dataset.high, unit: svg.dataset.unit,
      height: svg.viewBox.baseVal.height, cursor: svg.querySelector(".cursor"),
      moving: svg.querySelector(".moving"), times: svg.querySelector(".times"),
      paths: [...svg.querySelectorAll(".line")].map((path) => ({ path, points: null })),
      values: [...svg.previousElementSibling.querySelectorAll(".key")].map((key) => {
        const value = document.createElement("span");
        value.className = "value";
        key.append(value);
        return value;
      }),
    }));
    if (!charts.length) continue;
    const duration = +charts[0].svg.dataset.duration;
    const shown = charts.length - 1;
    let from = 0, to = duration, begun = null, select = null;

    const secondsAt = (svg, event) => {
      const box = svg.getBoundingClientRect();
      const x = (event.clientX - box.left) / box.width * WIDTH - LEFT;
      return from + Math.min(Math.max(x / INNER, 0), 1) * (to - from);
    };
    const xOf = (s) => LEFT + (s - from) / (to - from) * INNER;
    const valueAt = (chart, line, seconds) => {
      if (!line.points) {
        line.points = line.path.getAttribute("d").slice(1).split("L").map((p) => p.split(",").map(Number));
      }
      const x = seconds / duration * INNER, points = line.points;
      let low = 0, high = points.length - 1;
      while (high - low > 1) {
        const middle = (low + high) >> 1;
        if (points[middle][0] <= x) low = middle; else high = middle;
      }
      const [ax, ay] = points[low], [bx, by] = points[high];
      const share = bx > ax ? Math.min(Math.max((x - ax) / (bx - ax), 0), 1) : 0;
      const y = ay + (by - ay) * share;
      return chart.low + (chart.height - BOTTOM - y) / (chart.height - TOP - BOTTOM) * (chart.high - chart.low);
    };
    const draw = () => {
      const zoom = duration / (to - from);
      const steps = [1, 2, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400];
      const step = steps.find((one) => (to - from) / one <= 10) || 14400;
      for (const chart of charts) {
        chart.moving.setAttribute("transform", `scale(${zoom} 1) translate(${-from / duration * INNER} 0)`);
      }
      const labels = [];
      for (let at = Math.ceil(from / step) * step; at <= to + 1e-6; at += step) {
        labels.push(`<text class="tick" x="${xOf(at).toFixed(1)}" y="${charts[shown].height - BOTTOM + 15}" text-anchor="middle">${clock(at)}</text>`);
      }
      charts[shown].times.innerHTML = labels.join("");
    };
    const point = (seconds) => {
      for (const chart of charts) {
        chart.cursor.setAttribute("visibility", seconds === null ? "hidden" : "visible");
        if (seconds !== null) {
          const x = xOf(seconds).toFixed(1);
          chart.cursor.setAttribute("x1", x);
          chart.cursor.setAttribute("x2", x);
        }
        chart.paths.forEach((line, i) => {
          if (chart.values[i]) {
            chart.values[i].textContent = seconds === null ? "" : number(valueAt(chart, line, seconds), chart.unit);
          }
        });
      }
      const when = set.querySelector(".when");
      when.textContent = seconds === null ? when.dataset.hint : `at ${clock(seconds)}`;
    };
    for (const chart of charts) {
      chart.svg.addEventListener("pointermove", (event) => {
        const seconds = secondsAt(chart.svg, event);
        point(seconds);
        if (begun !== null && select) {
          const a = xOf(Math.min(begun, seconds)), b = xOf(Math.max(begun, seconds));
          select.setAttribute("x", a);
          select.setAttribute("width", Math.max(0, b - a));
        }
      });
      chart.svg.addEventListener("pointerleave", () => { if (begun === null) point(null); });
      chart.svg.addEventListener("pointerdown", (event) => {
        if (event.pointerType === "touch" || event.button) return;
        begun = secondsAt(chart.svg, event);
        select = document.createElementNS("http://www.w3.org/2000/svg", "rect");
        select.setAttribute("class", "select");
        select.setAttribute("y", TOP);
        select.setAttribute("height", chart.height - TOP - BOTTOM);
        chart.svg.append(select);
        chart.svg.setPointerCapture(event.pointerId);
        event.preventDefault();
      });
      const ended = (event) => {
        if (begun === null) return;
        const seconds = secondsAt(chart.svg, event);
        const a = Math.min(begun, seconds), b = Math.max(begun, seconds);
        select.remove();
        begun = select = null;
        if (event.type === "pointerup" && xOf(b) - xOf(a) > 6 && b - a >= 2) { from = a; to = b; draw(); }
      };
      chart.svg.addEventListener("pointerup", ended);
      chart.svg.addEventListener("pointercancel", ended);
      chart.svg.addEventListener("dblclick", () => { from = 0; to = duration; draw(); });
    }
    for (const link of set.parentElement.querySelectorAll("button[data-at]")) {
      link.onclick = () => {
        from = Math.max(0, +link.dataset.at - 10);
        to = Math.min(duration, +link.dataset.at + 60);
        draw();
        set.scrollIntoView({ block: "start" });
      };
    }
  }
})();
