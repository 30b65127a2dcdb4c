// Before the first paint: the chosen theme, language and type size. Keep it tiny; it blocks.
(function () {
  var root = document.documentElement, choice = {};
  try { choice = JSON.parse(localStorage.getItem('onelot.choice')) || {}; } catch (e) { /* private mode */ }
  if (choice.theme === 'light' || choice.theme === 'dark') root.dataset.theme = choice.theme;
  if (choice.type === 'large') root.dataset.type = 'large';
  var lang = choice.lang || (/^zh/i.test(navigator.language) ? 'zh' : 'en');
  root.lang = lang === 'en' ? 'en' : 'zh-CN';
})();
