CREATE TABLE "copies" (
	"scene_id" bigint NOT NULL,
	"storage_id" text NOT NULL,
	"revision" integer NOT NULL,
	"key" text,
	"state" text NOT NULL,
	"size" bigint,
	"sha256" text,
	"checksums" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"etag" text,
	"attempts" integer DEFAULT 0 NOT NULL,
	"error_code" text,
	"error_message" text,
	"verified_at" timestamp (3) with time zone,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "copies_scene_id_storage_id_revision_pk" PRIMARY KEY("scene_id","storage_id","revision"),
	CONSTRAINT "copies_state" CHECK ("copies"."state" in ('copying', 'verified', 'failed', 'missing', 'corrupt')),
	CONSTRAINT "copies_verified" CHECK ("copies"."state" <> 'verified' or ("copies"."key" is not null and "copies"."verified_at" is not null)),
	CONSTRAINT "copies_size" CHECK ("copies"."size" >= 0),
	CONSTRAINT "copies_error" CHECK (("copies"."error_code" is null) = ("copies"."error_message" is null))
);
--> statement-breakpoint
CREATE TABLE "films" (
	"id" text PRIMARY KEY NOT NULL,
	"title" text NOT NULL,
	"strategy" text NOT NULL,
	"storages" text[] NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "films_strategy" CHECK ("films"."strategy" in ('direct', 'cloud', 'hybrid'))
);
--> statement-breakpoint
CREATE TABLE "scenes" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "scenes_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"film_id" text NOT NULL,
	"scene_number" integer NOT NULL,
	"video_url" text,
	"prediction_id" text,
	"duration" double precision,
	"placeholder" boolean NOT NULL,
	"revision" integer DEFAULT 1 NOT NULL,
	"received_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"deadline" timestamp (3) with time zone,
	"size" bigint,
	"sha256" text,
	"content_type" text,
	"source_error_code" text,
	"source_error" text,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "scenes_film_number" UNIQUE("film_id","scene_number"),
	CONSTRAINT "scenes_source" CHECK ("scenes"."placeholder" or "scenes"."video_url" is not null or "scenes"."prediction_id" is not null),
	CONSTRAINT "scenes_size" CHECK ("scenes"."size" >= 0),
	CONSTRAINT "scenes_source_error" CHECK (("scenes"."source_error_code" is null) = ("scenes"."source_error" is null))
);
--> statement-breakpoint
ALTER TABLE "copies" ADD CONSTRAINT "copies_scene_id_scenes_id_fk" FOREIGN KEY ("scene_id") REFERENCES "public"."scenes"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "scenes" ADD CONSTRAINT "scenes_film_id_films_id_fk" FOREIGN KEY ("film_id") REFERENCES "public"."films"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "films_by_age" ON "films" USING btree ("created_at","id");--> statement-breakpoint
CREATE INDEX "scenes_by_deadline" ON "scenes" USING btree ("deadline","id") WHERE not "scenes"."placeholder";