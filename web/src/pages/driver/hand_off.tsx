// The way there is another app's work: ours is to lead to the entrance, in the datum that app means.
import { useEffect, useRef, useState } from 'preact/hooks';
import type { SiteView } from '../../api/types';
import { useGet } from '../../api/use';
import { named } from '../../i18n';
import { t } from '../../i18n/driver';
import { Icon } from '../../kit/icon';
import { target } from './trip';

const KEY = 'onelot.maps';
const APPS = ['amap', 'baidu', 'apple', 'other'] as const;
type App = (typeof APPS)[number];

const remembered = (): App | null => {
  try {
    const kept = localStorage.getItem(KEY);
    return APPS.find((app) => app === kept) ?? null;
  } catch {
    return null;
  }
};

/** The entrance nearest to where one goes. */
function doorOf(site: SiteView): number {
  const goal = target.value;
  if (!goal || site.entrances.length < 2) return 0;
  const far = site.entrances.map((door) => (door.lon - goal.lon) ** 2 + (door.lat - goal.lat) ** 2);
  return far.indexOf(Math.min(...far));
}

/** Links say which datum their numbers are in: the wrong one is off by half a kilometre. */
export function linkOf(app: App, gcj: { lon: number; lat: number }, wgs: { lon: number; lat: number }, name: string): string {
  const [lon, lat, said] = [gcj.lon.toFixed(6), gcj.lat.toFixed(6), encodeURIComponent(name)];
  switch (app) {
    case 'amap': return `https://uri.amap.com/navigation?to=${lon},${lat},${said}&mode=car&coordinate=gaode&callnative=1`;
    case 'baidu': return `https://api.map.baidu.com/direction?destination=latlng:${lat},${lon}|name:${said}&coord_type=gcj02&mode=driving&src=onelot&output=html`;
    case 'apple': return `https://maps.apple.com/?daddr=${lat},${lon}&dirflg=d`;
    case 'other': return `geo:${wgs.lat.toFixed(6)},${wgs.lon.toFixed(6)}?q=${wgs.lat.toFixed(6)},${wgs.lon.toFixed(6)}(${said})`;
  }
}

export function HandOff({ site }: { site: SiteView }) {
  const [asking, setAsking] = useState(false), [app, setApp] = useState<App | null>(remembered());
  const shifted = useGet<SiteView>(`/api/v1/sites/${encodeURIComponent(site.id)}`, { query: { crs: 'gcj02' } });
  const number = doorOf(site), gcj = shifted.data && (shifted.data.entrances[number] ?? shifted.data.location), wgs = site.entrances[number] ?? site.location;
  const box = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (asking) box.current?.showModal();
  }, [asking]);
  if (!gcj) return <button type="button" class="btn go block pay" aria-disabled="true"><Icon name="go" />{t('site.go')}</button>;
  const choose = (one: App) => {
    setApp(one);
    setAsking(false);
    try {
      localStorage.setItem(KEY, one);
    } catch {
      // Then it is asked again.
    }
  };
  return (
    <>
      <div class="line">
        {app ? (
          <a class="btn go block pay grow" href={linkOf(app, gcj, wgs, named(site.name))} rel="noreferrer" target={app === 'other' ? undefined : '_blank'}><Icon name="go" />{t('site.go')}</a>
        ) : (
          <button type="button" class="btn go block pay grow" onClick={() => setAsking(true)}><Icon name="go" />{t('site.go')}</button>
        )}
        {app && <button type="button" class="btn s" onClick={() => setAsking(true)}>{t(`site.${app}`)}</button>}
      </div>
      {asking && (
        <dialog ref={box} class="dialog" aria-labelledby="go-title" onClose={() => setAsking(false)}>
          <div class="stack">
            <h2 id="go-title">{t('site.go.with')}</h2>
            {APPS.map((one) => (
              <a key={one} class="btn block" href={linkOf(one, gcj, wgs, named(site.name))} rel="noreferrer" target={one === 'other' ? undefined : '_blank'} onClick={() => choose(one)}>{t(`site.${one}`)}</a>
            ))}
          </div>
        </dialog>
      )}
    </>
  );
}
