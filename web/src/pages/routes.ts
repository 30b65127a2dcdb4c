// All pages of all areas; each area keeps its own table, so that nobody meets here.
import type { Route } from '../router';
import { city } from './city/routes';
import { driver } from './driver/routes';
import { operator } from './operator/routes';
import { services } from './services/routes';
import { staff } from './staff/routes';

export const routes: Route[] = [...driver, ...operator, ...city, ...services, ...staff];
