use super::*;
use crate::archive::fixtures;

fn trial() -> TargetFacts {
    TargetFacts {
        server_major: 18,
        user: "postgres".to_owned(),
        superuser: true,
        provider: None,
        schemas: ["public".to_owned()].into(),
        present: BTreeSet::new(),
        roles: None,
        extensions: None,
    }
}

fn tables(names: &[&str]) -> Selection {
    let tables = names.iter().map(|&name| name.to_owned()).collect();
    Selection { choice: Choice::Some { schemas: Vec::new(), tables }, ..Selection::default() }
}

fn schemas(names: &[&str]) -> Selection {
    let schemas = names.iter().map(|&name| name.to_owned()).collect();
    Selection { choice: Choice::Some { schemas, tables: Vec::new() }, ..Selection::default() }
}

/// `desc name` of what a plan takes, as in both generations of archives.
fn taken(archive: &[u8], selection: &Selection, target: &TargetFacts) -> (Vec<String>, Plan) {
    let (toc, _) = fixtures::toc(archive);
    let plan = plan(&toc, selection, target).unwrap();
    let index = toc.index();
    let names = plan.entries.iter().map(|id| title(index[id])).collect();
    (names, plan)
}

fn left_out(plan: &Plan) -> Vec<String> {
    plan.left_out.iter().map(|left_out| format!("{}: {}", left_out.what, left_out.why)).collect()
}

#[test]
fn a_table_comes_with_all_that_belongs_to_it() {
    for archive in [fixtures::ZOO_15_NONE, fixtures::ZOO_18_NONE] {
        let (mut names, plan) = taken(archive, &tables(&["shop.orders"]), &trial());
        names.sort();
        insta::allow_duplicates! {
            insta::assert_debug_snapshot!(names, @r##"
            [
                "ACL SCHEMA shop",
                "ACL shop.TABLE orders",
                "COMMENT shop.COLUMN orders.note",
                "COMMENT shop.INDEX orders_state",
                "COMMENT shop.POLICY own_orders ON orders",
                "COMMENT shop.TABLE orders",
                "CONSTRAINT shop.orders orders_pkey",
                "DEFAULT shop.orders id",
                "FUNCTION shop.touch()",
                "INDEX shop.orders_state",
                "POLICY shop.orders own_orders",
                "ROW SECURITY shop.orders",
                "RULE shop.orders orders_protect",
                "SCHEMA shop",
                "SEQUENCE OWNED BY shop.orders_id_seq",
                "SEQUENCE SET shop.orders_id_seq",
                "SEQUENCE shop.orders_id_seq",
                "STATISTICS shop.orders_stats",
                "TABLE DATA shop.orders",
                "TABLE shop.orders",
                "TRIGGER shop.orders orders_touch",
                "TYPE shop.state",
            ]
            "##);
            insta::assert_debug_snapshot!(left_out(&plan), @r##"
            [
                "FK CONSTRAINT shop.orders orders_product_id_fkey: it refers to 'shop.products', which is not restored",
                "FK CONSTRAINT shop.orders orders_user_id_fkey: it refers to 'shop.users', which is not restored",
            ]
            "##);
            insta::assert_debug_snapshot!(plan.foreign_keys, @r##"
            [
                ForeignKey {
                    from_table: "shop.orders",
                    to_table: "shop.products",
                    constraint: "orders_product_id_fkey",
                    both_inside: false,
                },
                ForeignKey {
                    from_table: "shop.orders",
                    to_table: "shop.users",
                    constraint: "orders_user_id_fkey",
                    both_inside: false,
                },
            ]
            "##);
            insta::assert_debug_snapshot!(plan.needed.iter().map(|n| format!("{} for {}", n.what, n.by)).collect::<Vec<_>>(), @r##"
            [
                "TYPE shop.state for TABLE shop.orders",
                "SCHEMA shop for TABLE shop.orders",
                "FUNCTION shop.touch() for TRIGGER shop.orders orders_touch",
            ]
            "##);
        }
    }
}

#[test]
fn both_ends_of_a_foreign_key_keep_it() {
    let (names, plan) = taken(fixtures::ZOO_18_NONE, &tables(&["orders", "users", "products"]), &trial());
    assert!(names.contains(&"FK CONSTRAINT shop.orders orders_user_id_fkey".to_owned()));
    assert!(plan.foreign_keys.iter().all(|key| key.both_inside));
    assert!(plan.left_out.is_empty());
    // The enum, the domain and the composite come along; so do citext and is_round.
    for needed in ["TYPE shop.state", "DOMAIN shop.price", "TYPE shop.address", "EXTENSION citext"] {
        assert!(names.contains(&needed.to_owned()), "{needed}");
    }
    assert!(names.contains(&"SEQUENCE OWNED BY shop.orders_id_seq".to_owned()));
    assert!(names.contains(&"SEQUENCE shop.users_id_seq".to_owned()));
    assert!(!names.iter().any(|name| name.contains("open_orders") || name.starts_with("BLOB")));
}

#[test]
fn a_partitioned_table_comes_with_its_partitions_and_a_partition_alone() {
    let (names, _) = taken(fixtures::ZOO_18_NONE, &tables(&["events"]), &trial());
    for name in [
        "TABLE public.events_rest_1",
        "TABLE ATTACH public.events_rest_1",
        "TABLE DATA public.events_2025",
        "INDEX ATTACH public.events_rest_0_pkey",
        "INDEX ATTACH public.events_2025_at_idx",
    ] {
        assert!(names.contains(&name.to_owned()), "{name}");
    }
    assert!(!names.iter().any(|name| name.contains("event_notes")));
    let (names, _) = taken(fixtures::ZOO_18_NONE, &tables(&["events_rest_1"]), &trial());
    assert_eq!(
        names,
        [
            "TABLE public.events_rest_1",
            "TABLE DATA public.events_rest_1",
            "CONSTRAINT public.events_rest_1 events_rest_1_pkey",
            "INDEX public.events_rest_1_at_idx",
        ]
    );
}

#[test]
fn a_partition_that_is_loaded_through_its_root_needs_the_whole_tree() {
    let (names, plan) = taken(fixtures::ZOO_18_NONE, &tables(&["by_state_0"]), &trial());
    for name in ["TABLE public.by_state", "TABLE public.by_state_1", "TABLE ATTACH public.by_state_1"] {
        assert!(names.contains(&name.to_owned()), "{name}: {names:?}");
    }
    assert!(names.contains(&"TABLE DATA public.by_state_0".to_owned()));
    assert!(!names.contains(&"TABLE DATA public.by_state_1".to_owned()));
    assert!(
        plan.needed.iter().any(|n| n.what == "TABLE public.by_state" && n.by == "TABLE public.by_state_0")
    );
}

#[test]
fn a_child_needs_its_parent_but_not_its_rows() {
    let (names, plan) = taken(fixtures::ZOO_18_NONE, &tables(&["child"]), &trial());
    assert_eq!(names, ["TABLE public.parent", "TABLE public.child", "TABLE DATA public.child"]);
    assert_eq!(plan.needed[0].what, "TABLE public.parent");
}

#[test]
fn circles_weird_names_and_sequences_of_nobody() {
    let (names, plan) = taken(fixtures::ZOO_18_NONE, &tables(&["egg"]), &trial());
    assert!(names.contains(&"FK CONSTRAINT public.egg egg_twin_fkey".to_owned()));
    assert_eq!(
        left_out(&plan),
        ["FK CONSTRAINT public.egg egg_chicken_fkey: it refers to 'public.chicken', which is not restored",]
    );
    assert_eq!(plan.foreign_keys.len(), 3);

    let (names, _) = taken(fixtures::ZOO_18_NONE, &tables(&["tab le\n-- x"]), &trial());
    assert_eq!(names.len(), 4, "{names:?}");

    let (names, plan) = taken(fixtures::ZOO_18_NONE, &tables(&["uses_free_sequence"]), &trial());
    assert!(names.contains(&"SEQUENCE public.down".to_owned()), "{names:?}");
    assert_eq!(plan.needed[0].what, "SEQUENCE public.down");
}

#[test]
fn a_view_says_which_tables_it_expects() {
    let (names, plan) = taken(fixtures::ZOO_18_NONE, &tables(&["open_orders"]), &trial());
    assert!(names.contains(&"VIEW shop.open_orders".to_owned()));
    assert!(!names.contains(&"TABLE shop.orders".to_owned()));
    let expected: Vec<&str> = plan.expected.iter().map(|needed| needed.what.as_str()).collect();
    assert_eq!(expected, ["TABLE shop.users", "TABLE shop.orders"]);
}

#[test]
fn what_the_target_has_is_not_made_again() {
    let target = TargetFacts {
        schemas: ["public".to_owned(), "shop".to_owned()].into(),
        present: [("shop".to_owned(), "state".to_owned()), ("shop".to_owned(), "touch()".to_owned())].into(),
        ..trial()
    };
    let (names, plan) = taken(fixtures::ZOO_18_NONE, &tables(&["shop.orders"]), &target);
    assert!(!names.iter().any(|name| name.starts_with("TYPE") || name.starts_with("FUNCTION")), "{names:?}");
    assert!(left_out(&plan).contains(&"SCHEMA shop: it is already there".to_owned()));
    assert!(left_out(&plan).contains(&"TYPE shop.state: it is already there".to_owned()));
}

#[test]
fn a_schema_comes_whole() {
    let (names, plan) = taken(fixtures::ZOO_18_NONE, &schemas(&["shop"]), &trial());
    for name in [
        "SCHEMA shop",
        "ACL SCHEMA shop",
        "MATERIALIZED VIEW DATA shop.totals",
        "EXTENSION citext",
        "POLICY shop.orders own_orders",
        "DEFAULT ACL shop.DEFAULT PRIVILEGES FOR TABLES",
        "FUNCTION shop.is_round(numeric)",
    ] {
        assert!(names.contains(&name.to_owned()), "{name}");
    }
    assert!(
        !names.iter().any(|name| name.contains("public.") || name.starts_with("PUBLICATION")),
        "{names:?}"
    );
    assert!(plan.foreign_keys.iter().all(|key| key.both_inside));
    let (public, _) = taken(fixtures::ZOO_18_NONE, &schemas(&["public"]), &trial());
    assert!(public.contains(&"TABLE public.events".to_owned()));
}

#[test]
fn halves() {
    let data = Selection { halves: Halves::DataOnly, ..tables(&["orders"]) };
    let (names, _) = taken(fixtures::ZOO_15_NONE, &data, &trial());
    assert_eq!(names, ["TABLE DATA shop.orders", "SEQUENCE SET shop.orders_id_seq"]);
    let schema = Selection { halves: Halves::SchemaOnly, ..tables(&["orders"]) };
    let (names, _) = taken(fixtures::ZOO_15_NONE, &schema, &trial());
    assert!(!names.iter().any(|name| name.contains(" DATA ") || name.contains(" SET ")), "{names:?}");
    let all = Selection { halves: Halves::DataOnly, ..Selection::default() };
    for archive in [fixtures::ZOO_15_NONE, fixtures::ZOO_18_NONE] {
        let (names, _) = taken(archive, &all, &trial());
        assert!(names.contains(&"ACL LARGE OBJECT 70001".to_owned()), "{names:?}");
        assert!(names.iter().any(|name| name.starts_with("BLOBS ")));
    }
}

#[test]
fn everything_into_a_superusers_database_leaves_out_only_public() {
    for archive in [fixtures::ZOO_15_NONE, fixtures::ZOO_18_NONE] {
        let (names, plan) = taken(archive, &Selection::default(), &trial());
        assert_eq!(left_out(&plan), Vec::<String>::new());
        let (toc, _) = fixtures::toc(archive);
        // ENCODING, STDSTRINGS, SEARCHPATH, DATABASE.
        assert_eq!(names.len(), toc.entries.len() - 4);
    }
}

#[test]
fn what_a_managed_target_cannot_take() {
    let target = TargetFacts {
        user: "app".to_owned(),
        superuser: false,
        provider: Some(Managed::Supabase),
        roles: Some(["app".to_owned(), "zoo_owner".to_owned(), "postgres".to_owned()].into()),
        extensions: Some(BTreeSet::new()),
        ..trial()
    };
    let (names, plan) = taken(fixtures::ZOO_15_NONE, &Selection::default(), &target);
    insta::assert_debug_snapshot!(left_out(&plan), @r##"
    [
        "COMMENT SCHEMA public: only the schema's owner may comment on it",
        "ACL SCHEMA shop: there is no role 'zoo_reader'",
        "EXTENSION citext: the target does not have this extension",
        "COMMENT EXTENSION citext: only the extension's owner may comment on it",
        "ACL shop.TABLE orders: there is no role 'zoo_reader'",
        "TABLE shop.users: it needs EXTENSION citext, which is left out",
        "ACL shop.COLUMN users.email: there is no role 'zoo_reader'",
        "VIEW shop.open_orders: it needs EXTENSION citext, which is left out",
        "SEQUENCE shop.users_id_seq: it needs TABLE shop.users, which is left out",
        "ACL LARGE OBJECT 70001: there is no role 'zoo_reader'",
        "TABLE DATA shop.users: it needs TABLE shop.users, which is left out",
        "SEQUENCE SET shop.users_id_seq: it needs SEQUENCE shop.users_id_seq, which is left out",
        "CONSTRAINT shop.users users_email_key: it needs TABLE shop.users, which is left out",
        "CONSTRAINT shop.users users_pkey: it needs TABLE shop.users, which is left out",
        "FK CONSTRAINT shop.orders orders_user_id_fkey: it needs TABLE shop.users, which is left out",
        "POLICY shop.orders own_orders: there is no role 'zoo_reader'",
        "COMMENT shop.POLICY own_orders ON orders: it needs POLICY shop.orders own_orders, which is left out",
        "PUBLICATION zoo_publication: making it can take a superuser",
        "PUBLICATION TABLE shop.zoo_publication orders: it needs PUBLICATION zoo_publication, which is left out",
        "DEFAULT ACL shop.DEFAULT PRIVILEGES FOR TABLES: only role 'zoo_owner' may change its default privileges",
        "EVENT TRIGGER zoo_event_trigger: only a superuser may make it",
    ]
    "##);
    assert!(names.contains(&"TABLE shop.products".to_owned()));
    assert!(plan.missing_owners.is_empty());

    let nobody = TargetFacts {
        roles: Some(["postgres".to_owned(), "pg_database_owner".to_owned()].into()),
        ..trial()
    };
    let (_, plan) = taken(fixtures::ZOO_15_NONE, &Selection::default(), &nobody);
    assert_eq!(plan.missing_owners, ["zoo_owner".to_owned()].into());
    let no_owner = Selection { no_owner: true, no_privileges: true, ..Selection::default() };
    let (names, plan) = taken(fixtures::ZOO_15_NONE, &no_owner, &nobody);
    assert!(plan.missing_owners.is_empty());
    assert!(!names.iter().any(|name| name.contains("ACL")));
}

#[test]
fn roles_that_an_archive_names() {
    let (toc, _) = fixtures::toc(fixtures::ZOO_18_NONE);
    assert_eq!(roles(&toc).into_iter().collect::<Vec<_>>(), ["postgres", "zoo_owner", "zoo_reader"]);
}

#[test]
fn unknown_names_are_errors_that_say_what_was_meant() {
    use crate::error::Advise;
    let (toc, _) = fixtures::toc(fixtures::ZOO_18_NONE);
    let error = plan(&toc, &tables(&["shop.oders"]), &trial()).unwrap_err();
    assert_eq!(error.to_string(), "no table 'shop.oders' in this archive");
    assert_eq!(error.hint().unwrap(), "did you mean 'shop.orders'");
    let error = plan(&toc, &schemas(&["shopp"]), &trial()).unwrap_err();
    assert_eq!(error.hint().unwrap(), "did you mean 'shop'");
    let error = plan(&toc, &tables(&["\"open"]), &trial()).unwrap_err();
    assert_eq!(error.to_string(), "'\"open' is not a table or schema name: a quote is not closed");
}

#[test]
fn a_list_file_is_one_line_an_entry() {
    let (toc, _) = fixtures::toc(fixtures::ZOO_18_NONE);
    let plan = plan(&toc, &tables(&["tab le\n-- x", "egg"]), &trial()).unwrap();
    insta::assert_snapshot!(list_file(&toc, &plan), @r##"
    8; 2615 16493 SCHEMA - we"ird schema postgres
    253; 1259 16688 TABLE public egg postgres
    232; 1259 16582 TABLE we"ird schema tab le -- x postgres
    2907; 0 0 COMMENT we"ird schema TABLE "tab le -- x" postgres
    2883; 0 16688 TABLE DATA public egg postgres
    2866; 0 16582 TABLE DATA we"ird schema tab le -- x postgres
    2686; 2606 16693 CONSTRAINT public egg egg_pkey postgres
    ; left out (it refers to 'public.chicken', which is not restored): 2699; 2606 16694 FK CONSTRAINT public egg egg_chicken_fkey postgres
    2700; 2606 16699 FK CONSTRAINT public egg egg_twin_fkey postgres
    "##);
    let (empty, _) = fixtures::toc(fixtures::LATIN1_15);
    insta::assert_snapshot!(human_list(&empty).lines().skip(2).collect::<Vec<_>>().join("\n"), @r##"
    server      15.18 (Debian 15.18-0+deb12u1)
    pg_dump     15.18 (Debian 15.18-0+deb12u1)
    format      custom 1.14, compression gzip, pg_restore 12 or newer
    entries     2

    definitions
      TABLE       public.größe  (postgres)

    data
      TABLE DATA  public.größe  (postgres)
    "##);
}
