// Before the first paint: the chosen theme, language and type size; and, where the list of car parks comes next, what it waits for is asked
// for while the page's code is on its way. Keep it tiny; it blocks.
(function () {
  var root = document.documentElement, choice = {};
  try { choice = JSON.parse(localStorage.getItem('onelot.choice')) || {}; } catch (e) { /* private mode */ }
  if (choice.theme === 'light' || choice.theme === 'dark') root.dataset.theme = choice.theme;
  if (choice.type === 'large') root.dataset.type = 'large';
  var lang = choice.lang || (/^zh/i.test(navigator.language) ? 'zh' : 'en');
  root.lang = lang === 'en' ? 'en' : 'zh-CN';
  if (location.pathname === '/') window.onelotSites = fetch('/api/v1/map/sites', { cache: 'no-store' }).catch(function () { return null; });
})();
