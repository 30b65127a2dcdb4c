import { render } from 'preact';
import { setClock } from './api/city_clock';
import { findOut } from './api/session';
import { routes } from './pages/routes';
import { setRoutes } from './router';
import { App } from './shell';
import './styles/tokens.css';
import './styles/base.css';
import './styles/app.css';

// The Enter that ends a composition chooses characters and sends nothing; some browsers say so only by an old number.
addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && (event.isComposing || event.keyCode === 229)) event.preventDefault();
}, true);

setRoutes(routes);
void setClock();
void findOut();
render(<App />, document.getElementById('app')!);
