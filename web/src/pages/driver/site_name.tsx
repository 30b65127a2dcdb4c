// Where: a site by its id, in the language of the page.
import { useGet } from '../../api/use';
import type { SiteView } from '../../api/types';
import { named } from '../../i18n';
import { sites } from '../../map/sites';

export function SiteName({ id }: { id: string }) {
  const known = sites.get(id), found = useGet<SiteView>(known ? null : `/api/v1/sites/${encodeURIComponent(id)}`);
  const name = known?.name ?? found.data?.name;
  return <>{name ? named(name) : id}</>;
}
