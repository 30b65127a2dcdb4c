// Written by `python -m tests.web.api_types` from the doors' own types: never edited.

export interface AccessView {
  id: string;
  at: string;
  who: ServicesExchangeHttpNameView;
  purpose: string;
  case: string | null;
  fields: string[];
  names: FieldView[];
}

export interface Adoption {
  site: string;
  kind: 'camera' | 'counter' | 'gate';
  name: string;
  lanes: string[];
}

export interface Alive {
  status: string;
}

export interface Amount {
  amount: unknown;
  currency: string;
}

export interface BarrierCommand {
  command: 'open_barrier';
  lane: string;
  until: string | null;
}

export interface BillView {
  id: string;
  session: string;
  site: string;
  plate: string;
  entered_at: string;
  left_at: string;
  total: Money;
  paid: Money;
  state: 'open' | 'paid' | 'part_paid' | 'refunded' | 'void';
  tariff: ParkingBillsHttpTariffName;
  lines: LineView[];
  payments: PaymentView[];
  issued_at: string;
  version: number;
  certainty: string;
  provisional: boolean;
}

export interface CaseRow {
  id: string;
  matter: string;
  name: ServicesCasesViewsWords;
  agency: string;
  state: string;
  applicant: string;
  pledged: number;
  recheck: boolean;
  promise: PromiseView;
  created_at: string;
  submitted_at: string | null;
  clerk: ClerkView | null;
}

export interface CaseView {
  id: string;
  matter: string;
  version: string;
  name: ServicesCasesViewsWords;
  agency: string;
  state: string;
  schema: Record<string, unknown>;
  form: Record<string, unknown>;
  provenance: Record<string, OriginView>;
  asked: Record<string, string>;
  choices: Record<string, ChoiceView[]>;
  pledged: string[];
  checks: CheckView[];
  missing: string[];
  hidden: string[];
  files: FileView[];
  steps: ServicesCasesViewsStepView[];
  letters: LetterView[];
  previews: PreviewView[];
  reasons: ReasonView[];
  licence: string | null;
  recheck: RecheckView | null;
  promise: PromiseView;
  acts: string[];
  created_at: string;
  submitted_at: string | null;
  decided_at: string | null;
  clerk: ClerkView | null;
}

export interface CheckView {
  pointer: string;
  held: boolean;
  source: string;
  as_of: string | null;
}

export interface ChoiceView {
  value: string;
  label: string;
  colour: string;
}

export interface CityView {
  as_of: string;
  total: Counts;
  operators: OperatorCounts[];
  districts: District[];
  first_hour: string;
  spikes: Spike[];
}

export interface ClassView {
  capacity: number;
  free: number;
  unknown: number;
}

export interface ClerkView {
  id: string;
  name: string;
  mine: boolean;
  left: boolean;
}

export interface ClockView {
  city: string;
  wall: string;
  speed: number;
}

export interface CloseBody {
  left_at: string;
  evidence: string;
}

export interface CodeRequest {
  phone: string;
}

export interface CodeSent {
  expires_s: number;
  retry_s: number;
}

export interface ColleagueView {
  id: string;
  name: string;
  agency: string;
  me: boolean;
}

export interface CommandAnswer {
  ok: boolean;
}

export interface Counts {
  sites: number;
  capacity: number;
  free: number;
  occupied: number;
  unknown: number;
  out_of_order: number;
}

export interface Decision {
  decision: 'approve' | 'reject' | 'supplement';
  reason: string;
}

export interface DeviceCard {
  device: string;
  password: string;
  topic: string;
  host: string;
  port: number;
}

export interface DeviceView {
  device: string;
  site: string;
  kind: string;
  lanes: string[];
  online: boolean;
  heard_at: string | null;
  clock_offset_s: number | null;
  firmware: string;
  readings: number;
  plate_read_rate: number | null;
  refused: number;
  seq_gaps: number;
  no_clock: number;
}

export interface District {
  district: string;
  counts: Counts;
  hours: (number | null)[];
}

export interface DuesPaid {
  paid: Money;
}

export interface ElementView {
  key: string;
  label: ServicesCatalogHttpWords;
  value: unknown;
}

export interface Ended {
  ended: number;
}

export interface Entry {
  at: string;
  amount: Money;
  what: string;
  bill: string | null;
}

export interface FetchedView {
  pointer: string;
  element: string;
  source: string;
  api: string;
  purpose: string;
  max_age_s: number;
  locked: boolean;
}

export interface FieldError {
  pointer: string;
  code: string;
  detail: string;
}

export interface FieldView {
  code: string;
  name: ServicesExchangeHttpNameView;
}

export interface FileView {
  id: string;
  field: string;
  name: string;
  type: string;
  bytes: number;
  sha256: string;
  at: string;
}

export interface FormPatch {
  form: Record<string, unknown>;
}

export interface HandOver {
  to: string;
}

export interface KeySet {
  keys: Record<string, unknown>[];
}

export interface LetterView {
  id: string;
  kind: string;
  title: ServicesCasesViewsWords;
  body: ServicesCasesViewsWords;
  at: string;
}

export interface LicenceView {
  id: string;
  class: string;
  name: ServicesLicencesHttpNameView;
  issued_at: string;
  valid_from: string;
  valid_to: string;
  state: 'expired' | 'not_yet_valid' | 'revoked' | 'suspended' | 'valid';
  claims: Record<string, unknown>;
  revoked: WhyView | null;
  revoked_at: string | null;
}

export interface LifeEventView {
  code: string;
  icon: string;
  name: ServicesCatalogHttpWords;
  matters: number;
}

export interface LineView {
  kind: string;
  from: string;
  to: string;
  what: ParkingTariffsRenderWords;
  amount: Money;
}

export interface Location {
  lon: number;
  lat: number;
}

export interface LogIn {
  phone: string;
  code: string;
  client: 'app' | 'page';
}

export interface LogInView {
  id: string;
  created_at: string;
  seen_at: string;
  current: boolean;
  what: string;
}

export interface LoggedInView {
  id: string;
  expires_at: string;
  person: PersonView;
  token?: string;
}

export interface MapSites {
  id: string[];
  zh: string[];
  en: string[];
  type: string[];
  lon: number[];
  lat: number[];
  capacity: number[];
  free: number[];
  unknown: number[];
  freshness: string[];
}

export interface MatterRow {
  code: string;
  name: ServicesCatalogHttpWords;
  agency: string;
  level: string;
  promise: Promise;
  summary: ServicesCatalogHttpWords;
}

export interface MatterView {
  code: string;
  version: string;
  name: ServicesCatalogHttpWords;
  agency: string;
  level: string;
  promise: Promise;
  summary: ServicesCatalogHttpWords;
  elements: ElementView[];
  form: Record<string, unknown>;
  steps: ServicesCatalogHttpStepView[];
  fee: unknown;
  fetched: FetchedView[];
  licence: ServicesCatalogHttpWords | null;
}

export interface Money {
  amount: number;
  currency: string;
}

export interface Name {
  zh: string;
  en: string;
}

export interface NearItem {
  site: NearSite;
  distance_m: number;
  walk_s: number;
  price: Money | null;
  p_free: number | null;
  why: string[];
  crs?: 'bd09' | 'gcj02' | 'wgs84';
}

export interface NearSite {
  id: string;
  name: Name;
  type: string;
  location: Location;
  entrance: Location;
  capacity: number;
  free: number;
  unknown: number;
  as_of: string | null;
  freshness: 'late' | 'live' | 'silent' | 'static';
  max_height_cm: number | null;
}

export interface NewCase {
  matter: string;
}

export interface NewPlate {
  plate: string;
  colour: string | null;
  nickname: string | null;
}

export interface OperatorCounts {
  sites: number;
  capacity: number;
  free: number;
  occupied: number;
  unknown: number;
  out_of_order: number;
  operator: string;
  freshness: Record<string, number>;
}

export interface OperatorSessionView {
  id: string;
  site: string;
  spot: string | null;
  plate: string | null;
  entered_at: string;
  left_at: string | null;
  state: string;
  certainty: string;
  why: string[];
  fee: Money | null;
  bill: string | null;
  candidate: string | null;
}

export interface OperatorSiteView {
  id: string;
  name: Name;
  type: string;
  operator: string;
  location: Location;
  entrances: Location[];
  counted_by: string;
  capacity: number | null;
  free: number | null;
  occupied: number | null;
  unknown: number | null;
  out_of_order: number | null;
  classes: Record<string, ClassView>;
  as_of: string | null;
  freshness: 'late' | 'live' | 'silent' | 'static';
  trend: 'falling' | 'rising' | 'stable';
  tariff: TariffLabel | null;
  max_height_cm: number | null;
  max_stay_s: number | null;
  opening_hours: string;
  zone: string;
  crs?: 'bd09' | 'gcj02' | 'wgs84';
  problems: string[];
}

export interface OperatorTurnover {
  operator: string;
  capacity: number;
  arrivals: number;
  departures: number;
  billed: Money;
  turnover: number | null;
}

export interface OriginView {
  source: string;
  as_of: string | null;
  locked: boolean;
}

export interface PageAccessView {
  items: AccessView[];
  next_cursor: string | null;
}

export interface PageBillView {
  items: BillView[];
  next_cursor: string | null;
}

export interface PageCaseRow {
  items: CaseRow[];
  next_cursor: string | null;
}

export interface PageColleagueView {
  items: ColleagueView[];
  next_cursor: string | null;
}

export interface PageDeviceView {
  items: DeviceView[];
  next_cursor: string | null;
}

export interface PageLicenceView {
  items: LicenceView[];
  next_cursor: string | null;
}

export interface PageLifeEventView {
  items: LifeEventView[];
  next_cursor: string | null;
}

export interface PageLogInView {
  items: LogInView[];
  next_cursor: string | null;
}

export interface PageMatterRow {
  items: MatterRow[];
  next_cursor: string | null;
}

export interface PageNearItem {
  items: NearItem[];
  next_cursor: string | null;
}

export interface PageOperatorSessionView {
  items: OperatorSessionView[];
  next_cursor: string | null;
}

export interface PageOperatorSiteView {
  items: OperatorSiteView[];
  next_cursor: string | null;
}

export interface PagePlateView {
  items: PlateView[];
  next_cursor: string | null;
}

export interface PageRefusedView {
  items: RefusedView[];
  next_cursor: string | null;
}

export interface PageSessionView {
  items: SessionView[];
  next_cursor: string | null;
}

export interface PageSiteHistory {
  items: SiteHistory[];
  next_cursor: string | null;
}

export interface PageSiteView {
  items: SiteView[];
  next_cursor: string | null;
}

export interface PageSpotView {
  items: SpotView[];
  next_cursor: string | null;
}

export interface PageUnknownView {
  items: UnknownView[];
  next_cursor: string | null;
}

export interface PayBody {
  rail: 'wallet';
}

export interface PaymentView {
  rail: string;
  amount: Money;
  at: string;
  state: 'paid' | 'refunded';
}

export interface PersonView {
  id: string;
  phone: string;
  level: string;
  roles: RoleView[];
  level_at?: string;
  name?: string;
  id_no?: string;
}

export interface PlateView {
  id: string;
  plate: string;
  colour: string;
  nickname: string | null;
  proved: boolean;
  auto_pay: boolean;
  due?: Money;
}

export interface PresentationView {
  token: string;
  qr: string;
  expires_at: string;
}

export interface PreviewView {
  decision: string;
  title: ServicesCasesViewsWords;
  body: ServicesCasesViewsWords;
}

export interface PriceStep {
  after_s: number;
  total: Money;
}

export interface ProblemKind {
  type: string;
  title: string;
  status: number;
  about: string;
}

export interface ProblemView {
  type: string;
  title: string;
  status: number;
  detail: string;
  errors: FieldError[];
}

export interface Promise {
  working_days: number;
  text: ServicesCatalogHttpWords;
}

export interface PromiseView {
  due_at: string | null;
  paused_at: string | null;
  late: boolean;
  working_days_left: number | null;
}

export interface Proof {
  way: 'vehicle_licence';
  vin_last6: string;
}

export interface QuoteView {
  total: Money;
  tariff: ParkingTariffsHttpTariffName;
  lines: LineView[];
  provisional: boolean;
}

export interface RaiseLevel {
  to: 'L2' | 'L3';
  way: 'counter' | 'registry';
  name?: string;
  id_no?: string;
  code?: string;
}

export interface Ready {
  ready: boolean;
  late: string[];
  stuck: Record<string, number>;
  facts_heard: number;
}

export interface ReasonView {
  rule: string;
  article: string;
  verdict: string;
  text: ServicesCasesViewsWords;
  values: ValueView[];
}

export interface RecheckView {
  since: string;
  due_at: string;
}

export interface RefusedView {
  id: number;
  at: string;
  device: string;
  site: string;
  topic: string;
  reason: string;
  detail: string;
  payload: string;
}

export interface RevocationBody {
  reason: 'holder_asked' | 'issued_in_error' | 'misused' | 'moved_away';
}

export interface RoleView {
  role: string;
  scope: string;
}

export interface ServiceLevel {
  operator: string;
  devices: number;
  online: number;
  heard: number;
  clocks: number;
  plate_read_rate: number | null;
}

export interface ServiceLevels {
  as_of: string;
  items: ServiceLevel[];
}

export interface SessionView {
  id: string;
  site: string;
  spot: string | null;
  plate: string | null;
  entered_at: string;
  left_at: string | null;
  state: string;
  certainty: string;
  why: string[];
  fee: Money | null;
  bill: string | null;
}

export interface SiteHistory {
  site: string;
  first: string;
  step_s: number;
  free: (number | null)[];
}

export interface SiteView {
  id: string;
  name: Name;
  type: string;
  operator: string;
  location: Location;
  entrances: Location[];
  counted_by: string;
  capacity: number | null;
  free: number | null;
  occupied: number | null;
  unknown: number | null;
  out_of_order: number | null;
  classes: Record<string, ClassView>;
  as_of: string | null;
  freshness: 'late' | 'live' | 'silent' | 'static';
  trend: 'falling' | 'rising' | 'stable';
  tariff: TariffLabel | null;
  max_height_cm: number | null;
  max_stay_s: number | null;
  opening_hours: string;
  zone: string;
  crs?: 'bd09' | 'gcj02' | 'wgs84';
}

export interface Spike {
  id: string;
  lon: number;
  lat: number;
  capacity: number;
  free: number;
  unknown: number;
  freshness: string;
}

export interface SpotView {
  id: string;
  lon: number;
  lat: number;
  class: string;
  state: 'free' | 'occupied' | 'out_of_order' | 'unknown';
  as_of: string | null;
  crs?: 'bd09' | 'gcj02' | 'wgs84';
}

export interface StepsView {
  tariff: ParkingTariffsHttpTariffName;
  steps: PriceStep[];
}

export interface TariffLabel {
  id: string;
  version: number;
  text: Name;
}

export interface Thanks {
  code: string;
}

export interface TopUpSaid {
  id: string;
  state: string;
  amount: Money;
  at: string;
  pay_url: string | null;
}

export interface TurnoverView {
  as_of: string;
  first: string;
  step_s: number;
  arrivals: number[];
  departures: number[];
  billed: number[];
  arrivals_today: number;
  departures_today: number;
  billed_today: Money;
  operators: OperatorTurnover[];
}

export interface UnknownView {
  device: string;
  address: string;
  reason: string;
  first_at: string;
  last_at: string;
  tries: number;
}

export interface ValueView {
  element: string;
  value: unknown;
  source: string;
  as_of: string | null;
}

export interface VerdictView {
  valid: boolean;
  class: string | null;
  name: ServicesLicencesHttpNameView | null;
  valid_to: string | null;
  reason: string | null;
  text: ServicesLicencesHttpNameView | null;
}

export interface VerifyBody {
  token: string;
}

export interface Wallet {
  balance: Money;
  entries: Entry[];
  next_cursor: string | null;
}

export interface WhyView {
  code: string;
  text: ServicesLicencesHttpNameView;
}

export interface ParkingBillsHttpTariffName {
  id: string;
  version: number;
  sha256: string;
}

export interface ParkingTariffsHttpTariffName {
  id: string;
  version: number;
  sha256: string;
}

export interface ParkingTariffsRenderWords {
  zh: string;
  en: string;
}

export interface ServicesCasesViewsStepView {
  id: string;
  name: ServicesCasesViewsWords;
  state: string;
  who: string;
  at: string | null;
  reason: string | null;
}

export interface ServicesCasesViewsWords {
  zh: string;
  en: string;
}

export interface ServicesCatalogHttpStepView {
  id: string;
  name: ServicesCatalogHttpWords;
  who: string;
}

export interface ServicesCatalogHttpWords {
  zh: string;
  en: string;
}

export interface ServicesExchangeHttpNameView {
  zh: string;
  en: string;
}

export interface ServicesLicencesHttpNameView {
  zh: string;
  en: string;
}

export type Problem = ProblemView;
