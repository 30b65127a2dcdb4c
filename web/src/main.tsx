import { render } from 'preact';
import { setClock } from './api/city_clock';
import { findOut } from './api/session';
import { routes } from './pages/routes';
import { setRoutes } from './router';
import { App } from './shell';
import './styles/tokens.css';
import './styles/base.css';
import './styles/app.css';

setRoutes(routes);
void setClock();
void findOut();
render(<App />, document.getElementById('app')!);
